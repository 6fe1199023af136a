"""Writes the rows that the reader never learnt from, each with what simpler methods say of it, for `rapport eval reader`.

    python held_out.py --public FOLDER --original FOLDER > held-out.jsonl

The folders are those of train.py. Needs, beside what that needs, `scikit-learn` and `vaderSentiment`. A line is either a sentence
with its labels (what its source does not say is null), a mail with its sentiment, or a meeting with questions about it.
Methods: `lexicon` (VADER's compound score), `rule` (how questions end, cue phrases), `frozen` (logistic regression on the
sentence vectors of the original encoder, learnt from the same rows as the reader).
"""

import argparse
import json
import pathlib
import re
import sys

import numpy
import torch
from sklearn.linear_model import LogisticRegression
from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

import rows
from encoder import load_original
from train import Words, vectors

COMMITMENT = re.compile(r"\b(i|we)( will|'ll| shall|'m going to|'re going to| am going to| are going to)\b|\b(i|we) promise\b|\bwill (send|get back|follow up|call|share|provide)\b", re.I)
OBJECTION = re.compile(
    r"\b(too expensive|over (our|the) budget|can(no|')t afford|not in a position|concern(s|ed)?|worried|not convinced|don't need|not ready|need(s)? approval|"
    r"sign[- ]off|legal (team|review)|security review|doesn't (integrate|support)|no budget|price is|pricing is)\b", re.I)
SIGNAL = re.compile(
    r"\b(budget (is |was |has been )?approved|go live|sign(ing)? (by|this|next)|move forward|roll(ing)? (it )?out|more (seats|licen[cs]es|users)|expand|recommend(ed)?|"
    r"impressed|love (it|the)|our (ceo|cfo|cto|vp))\b", re.I)


def rule(row):
    text = row["text"]
    return {"question": text.rstrip().endswith("?"), "commitment": bool(COMMITMENT.search(text)), "objection": bool(OBJECTION.search(text)), "positive_signal": bool(SIGNAL.search(text))}


def label(shares):
    return rows.SENTIMENTS[int(numpy.argmax(shares))]


def frozen(learnt, measured, found):
    """Predictions of logistic regressions by task, in the order of `measured`."""
    def features(some):
        return torch.stack([found[row["text"]] for row in some]).float().numpy()

    said = [{} for _ in measured]
    seen = features(measured)
    with_sentiment = [row for row in learnt if row.get("sentiment")]
    model = LogisticRegression(max_iter=400).fit(features(with_sentiment), [label(row["sentiment"]) for row in with_sentiment])
    for one, answer in zip(said, model.predict(seen)):
        one["sentiment"] = str(answer)
    for act in rows.ACTS:
        known = [row for row in learnt if row.get(act) is not None]
        model = LogisticRegression(max_iter=400).fit(features(known), [row[act] > 0.5 for row in known])
        for one, answer in zip(said, model.predict(seen)):
            one[act] = bool(answer)
    known = [row for row in learnt if "mention" in row]
    model = LogisticRegression(max_iter=400).fit(features(known), [row["mention"][2] for row in known])
    for one, answer in zip(said, model.predict(seen)):
        one["stance"] = rows.STANCES[int(answer)]
    return said


def meetings(folder, teacher, words):
    """Meetings that nothing was learnt from, with the first place of a right turn by the original vectors."""
    for path in sorted((folder / "meetings" / "val").glob("*.json")):
        name = path.name.removesuffix(".transcript.json")
        turns = [turn["text"] for turn in json.loads(path.read_text(encoding="utf-8"))]
        queries = [row for row in rows.lines(folder / "meetings" / "queries_val.jsonl") if row["meeting"] == name]
        found = vectors(teacher, turns + [row["query"] for row in queries], words)
        matrix = torch.stack([found[turn] for turn in turns])
        asked = []
        for row in queries:
            relevant = sorted({at for first, last in row["relevant_segments"] or [] for at in range(first, min(last, len(turns) - 1) + 1)})
            if not relevant:
                continue
            closeness = matrix.float() @ found[row["query"]].float()
            best = max(closeness[at].item() for at in relevant)
            asked.append({"query": row["query"], "relevant": relevant, "original": 1 + int((closeness > best).sum())})
        yield {"set": "meetings", "turns": turns, "queries": asked}


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--public", type=pathlib.Path, required=True)
    options.add_argument("--original", type=pathlib.Path, required=True)
    options = options.parse_args()
    words = Words(options.original / "tokenizer.json")
    teacher = load_original(options.original / "model.safetensors").eval().requires_grad_(False)
    learnt, sets = rows.public(options.public)
    own, kept_out = rows.own()
    half, other_half = rows.labels(options.public)
    learnt += own + half
    sets |= {"labels": other_half} | {name: [row for row in kept_out if row["from"] == name] for name in rows.KEPT_OUT}
    measured = [(name, row) for name, some in sets.items() for row in some]
    found = vectors(teacher, [row["text"] for row in learnt] + [row["text"] for _, row in measured], words)
    said = frozen(learnt, [row for _, row in measured], found)
    lexicon = SentimentIntensityAnalyzer()
    for (name, row), answer in zip(measured, said):
        line = {"set": name, "text": row["text"], "before": row.get("before"), "side": row.get("side"), "title": row.get("title")}
        line["sentiment"] = label(row["sentiment"]) if row.get("sentiment") else None
        line |= {act: row[act] > 0.5 if row.get(act) is not None else None for act in rows.ACTS}
        if "mention" in row:
            start, end, stance = row["mention"]
            line |= {"mention": [start, end], "stance": rows.STANCES[stance]}
        line |= {"lexicon": lexicon.polarity_scores(row["text"])["compound"], "rule": rule(row), "frozen": answer}
        print(json.dumps(line, ensure_ascii=False))
    for row in rows.lines(options.public / "labels" / "messages.jsonl"):
        if rows.is_measured(row):
            line = {"set": "mails", "text": row["raw"], "side": row["side"], "format": "email", "sentiment": row["sentiment"]}
            line |= {act: any(highlight["kind"] == act for highlight in row["highlights"]) for act in rows.ACTS}
            print(json.dumps(line | {"lexicon": lexicon.polarity_scores(row["new_words"])["compound"]}, ensure_ascii=False))
    for meeting in meetings(options.public, teacher, words):
        print(json.dumps(meeting, ensure_ascii=False))
    sys.stdout.flush()


if __name__ == "__main__":
    main()
