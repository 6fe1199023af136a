"""What the reader learns from: rows of many sources, each with the labels that its source knows, and how they are divided.

A row is a dictionary: `text`, `before`, `side`, `title` (the last three may be missing) and any of
`sentiment` [negative, neutral, positive] as probabilities, `question` `commitment` `objection` `positive_signal` 0 to 1,
`objection_sub` `signal_sub` an index, `mention` (start, end, stance index). What is missing is not learnt from that row.
"""

import hashlib
import json
import pathlib
import re

import texts
from texts import lines

SENTIMENTS = ["negative", "neutral", "positive"]
ACTS = ["question", "commitment", "objection", "positive_signal"]
OBJECTIONS = ["price", "timing", "authority", "need", "trust", "legal_security", "integration", "other"]
SIGNALS = ["budget", "timeline", "executive", "expansion", "advocacy"]
# The last one: the word only looks like the competitor's name.
STANCES = ["evaluating", "using_today", "switching_to", "switching_from", "price_comparison", "feature_gap", "past", "mere_mention", "negated", "none"]
MEASURE_ONLY = ("aeslc", "airline", "ectsum", "compsent")

OWN = pathlib.Path(__file__).parent / "data"
# Whole batches that are only measured.
KEPT_OUT = ("f.tsv", "m.tsv", "stance-c.tsv", "trap-b.tsv")


def share(key):
    """A number from 0 to 255 by which rows are divided for good: the first byte of the key's SHA-256."""
    return hashlib.sha256(key.encode()).digest()[0]


def sentiment(label):
    return [float(label == name) for name in SENTIMENTS]


def rated(valence):
    """Mean human ratings from -4 to +4 as probabilities: beyond 1.6 all raters agree on the sign."""
    positive, negative = min(max(valence / 1.6, 0.0), 1.0), min(max(-valence / 1.6, 0.0), 1.0)
    return [negative, 1.0 - negative - positive, positive]


def group(identity):
    """Rows of one mail or meeting stay together."""
    identity = identity.removeprefix("cm-")
    for pattern in (r"usrp-(?:mail-)?(\d+)", r"(qm-[A-Za-z_]+\d+)"):
        if found := re.match(pattern, identity):
            return found.group(1)
    return re.sub(r"-\d+(\.\d+)?$", "", identity)


def labelled(row, highlights):
    kinds = {act: 0.0 for act in ACTS}
    row = row | {"sentiment": sentiment(row["sentiment"])}
    for kind, subtype in highlights:
        kinds[kind] = 1.0
        if kind == "objection":
            row["objection_sub"] = OBJECTIONS.index(subtype)
        if kind == "positive_signal":
            row["signal_sub"] = SIGNALS.index(subtype)
    return row | kinds


def batch(path):
    """One of our own batches: side, channel, title, sentiment, acts, before, text."""
    rows = []
    for line in path.read_text(encoding="utf-8").splitlines():
        side, _, title, label, acts, before, text = line.split("\t")
        row = {"side": side, "text": text, "title": title if title != "-" else None, "before": before if before != "-" else None}
        acts = [] if acts == "-" else [act.split(":") for act in acts.split(";")]
        stances = [act for act in acts if act[0] == "stance"]
        acts = [(act[0], act[1] if len(act) > 1 else None) for act in acts if act[0] != "stance"]
        # Batches of stances say nothing for sure about the rest.
        if not path.name.startswith(("stance", "trap")):
            rows.append({"from": path.name} | labelled(row | {"sentiment": label}, acts))
        for _, stance, name in stances:
            at = text.index(name)
            rows.append({"from": path.name, "mention": (at, at + len(name), STANCES.index(stance))} | row)
    return rows


def labels(folder):
    """The labelled development set: half of its mails and meetings are learnt from, the rest is measured."""
    learnt, measured = [], []
    for row in lines(folder / "labels" / "sentences.jsonl"):
        acts = [(h["kind"], h["subtype"]) for h in row["highlights"]]
        made = labelled({"text": row["text"], "before": row["context_before"], "side": row["side"], "title": row["title"], "sentiment": row["sentiment"]}, acts)
        place(row, made, learnt, measured)
    for row in lines(folder / "labels" / "competitor_mentions.jsonl"):
        for mention in row["mentions"]:
            made = {"text": row["text"], "before": row["context_before"], "side": row["side"]}
            made["mention"] = (mention["mention_start"], mention["mention_end"], STANCES.index(mention["stance"]))
            place(row, made, learnt, measured)
        for name in (row["trap"] or "").split(":")[0].split(", "):
            if name and (found := re.search(rf"\b{re.escape(name)}\b", row["text"], re.I)):
                made = {"text": row["text"], "before": row["context_before"], "side": row["side"], "mention": (*found.span(), STANCES.index("none"))}
                place(row, made, learnt, measured)
    for row in lines(folder / "labels" / "messages.jsonl"):
        if not is_measured(row):
            learnt += mail(row)
    return learnt, measured


def mail(row):
    """The sentences of a labelled mail's new words. What its highlights do not touch does nothing."""
    sentences, before = [], None
    for span in row["spans"]:
        if span["kind"] != "new":
            continue
        new = row["raw"][span["start"] : span["end"]]
        for found in re.finditer(r"\S(?:.(?![.!?]\s|\n\s*\n))*.?[.!?]?", new, re.S):
            start, end, text = span["start"] + found.start(), span["start"] + found.end(), " ".join(found.group().split())
            if len(text) < 8:
                continue
            # A highlight that reaches over several sentences is that of the one that holds most of it.
            touched = [h for h in row["highlights"] if 2 * (min(end, h["end"]) - max(start, h["start"])) > h["end"] - h["start"]]
            partly = [h for h in row["highlights"] if min(end, h["end"]) > max(start, h["start"])]
            if touched or not partly:
                acts = [(h["kind"], h["subtype"]) for h in touched]
                made = labelled({"text": text, "before": before, "side": row["side"], "sentiment": "neutral", "from": "labels", "source": row["source"]}, acts)
                # The mail's sentiment is not that of each sentence.
                del made["sentiment"]
                sentences.append(made)
            before = text
    return sentences


def is_measured(row):
    # The meetings of `qmsum-icsi` are among those of `meeting_acts_train`, which are learnt from.
    return row["source"].startswith(MEASURE_ONLY) or (share(group(row["id"])) < 128 and row["source"] != "qmsum-icsi")


def place(row, made, learnt, measured):
    (measured if is_measured(row) else learnt).append(made | {"from": "labels", "source": row["source"]})


def public(folder):
    """Public sets: what is learnt, and by name what is measured."""
    learnt, measured = [], {"sst5_dev": [], "customer_reviews": [], "tweeteval_val": [], "developer_forum": []}
    texts = folder / "sentiment"

    def add(name, row, made, hold):
        made = made | {"text": row["text"], "from": name}
        measured[name].append(made) if hold else learnt.append(made)

    for row in lines(texts / "sst5_train.jsonl"):
        learnt.append({"text": row["text"], "from": "sst5", "sentiment": sentiment(row["label"])})
    for row in lines(texts / "sst5_dev.jsonl"):
        add("sst5_dev", row, {"sentiment": sentiment(row["label"])}, True)
    for row in lines(texts / "customer_reviews_train.jsonl"):
        add("customer_reviews", row, {"sentiment": sentiment(row["label"])}, share(row["text"]) % 3 == 0)
    for row in lines(texts / "developer_forum_train.jsonl"):
        add("developer_forum", row, {"sentiment": sentiment(row["label"])}, share(row["text"]) % 3 == 0)
    for row in lines(texts / "tweeteval_val.jsonl"):
        add("tweeteval_val", row, {"sentiment": sentiment(row["label"])}, share(row["text"]) % 2 == 0)
    for name in ("rated_tweets", "rated_nyteditorial", "rated_amazonreview"):
        for row in lines(texts / f"{name}.jsonl"):
            learnt.append({"text": row["text"], "from": name, "sentiment": rated(row["valence"])})

    acts = folder / "speech_acts"
    learnt += meeting_acts(acts / "meeting_acts_train.jsonl", thin=True)
    measured["meeting_acts_val"] = meeting_acts(acts / "meeting_acts_val.jsonl", thin=False)
    promise = re.compile(r"\b(i|we)( wi|'| a|'?ll|’)", re.I)
    for row in lines(acts / "email_intent_train.jsonl"):
        if not row["intent"] and "?" not in row["text"] and not promise.search(row["text"]):
            learnt.append({"text": row["text"], "from": "email_intent", "question": 0.0, "commitment": 0.0})
    for row in lines(acts / "email_acts_train.jsonl"):
        text, votes = re.sub(r"^(&gt;|>|\s)+", "", row["text"]), row["votes"]
        if len(text) < 8:
            continue
        made = {"text": text, "from": "email_acts"}
        if votes.get("cmt", 0) != 1:
            made["commitment"] = float(votes.get("cmt", 0) >= 2)
        if "?" not in text and not votes.get("req"):
            made["question"] = 0.0
        learnt.append(made)
    return learnt, measured


def named_by_hash(folder):
    """Sentences and mentions of public sets with the labels that this project gave them (`data/public.tsv`, `public-mentions.tsv`)."""
    told = [line.split("\t") for line in (OWN / "public.tsv").read_text(encoding="utf-8").splitlines()]
    mentions = [line.split("\t") for line in (OWN / "public-mentions.tsv").read_text(encoding="utf-8").splitlines()]
    found = texts.labelled(folder, {row[0] for row in told + mentions})
    rows = []
    for name, label, acts in told:
        acts = [] if acts == "-" else [(act.split(":") + [None])[:2] for act in acts.split(";")]
        rows.append({"from": "public acts" if acts else "public"} | labelled(found[name] | {"sentiment": label}, acts))
    for name, start, end, stance in mentions:
        rows.append({"from": "public mentions", "mention": (int(start), int(end), STANCES.index(stance))} | found[name])
    return rows


def meeting_acts(path, thin):
    """Questions of real meetings: yes/no, open, or, alternative; rhetorical ones and all else are none."""
    rows, before = [], {}
    for row in lines(path):
        general, last = row["general"], before.get(row["meeting"])
        before[row["meeting"]] = row["text"]
        if row["basic"] == "D" or len(row["text"].split()) < 2:
            continue
        asks = row["basic"] == "Q" and general in ("qy", "qw", "qr", "qrr", "qo")
        # Most turns are statements and sounds: enough of them are looked at.
        if thin and not asks and share(row["meeting"] + str(row["i"])) >= (26 if row["basic"] == "S" else 10):
            continue
        rows.append({"text": row["text"], "before": last, "from": "meeting_acts", "question": float(asks)})
    return rows


def own():
    learnt, measured = [], []
    for path in sorted(OWN.glob("*.tsv")):
        if path.name.startswith("public"):
            continue
        (measured if path.name in KEPT_OUT else learnt).extend(batch(path))
    return learnt, measured


def unlabelled(folder, most):
    """Sentences without labels, from which only the original sentence vectors are learnt: meetings for training."""
    texts = []
    for path in sorted((folder / "meetings" / "train").glob("*.json")):
        texts += [turn["text"] for turn in json.loads(path.read_text(encoding="utf-8")) if len(turn["text"].split()) > 4]
    for row in lines(folder / "meetings" / "queries_train.jsonl"):
        texts.append(row["query"])
    return sorted(texts, key=lambda text: hashlib.sha256(text.encode()).digest())[:most]
