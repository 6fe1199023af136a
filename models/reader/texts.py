"""The sentences of the public sets that are labelled for this project in `data/public.tsv` and `data/public-mentions.tsv`.

Their texts are not ours to pass on: a row names its sentence by a hash, and is found again wherever the sets are at hand.
"""

import gzip
import hashlib
import json
import mailbox
import re
import tempfile

US = ("@ettus.com", "@ni.com", "@emerson.com")
# Where the writer's own words end: a quote's attribution, a signature, a formula of farewell.
ENDS = re.compile(r"^\s*(On .*(wrote|schrieb):?\s*$|-----Original|From: |_{5,}|-- ?$|Best regards|Kind regards|Regards|Thanks,?$|Cheers)")


def key(text):
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def lines(path):
    with open(path, encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def plain(text):
    return " ".join(text.split())


def sentences(text):
    return re.split(r"(?<=[.!?])\s+", text)


def all_texts(folder):
    """Every sentence that may be labelled: text, the sentence before it, side."""
    acts = folder / "speech_acts"
    for row in lines(acts / "email_intent_train.jsonl"):
        yield plain(row["text"]), None, "customer"
    for row in lines(acts / "email_acts_train.jsonl"):
        yield plain(re.sub(r"^(&gt;|>|\s)+", "", row["text"])), None, "customer"
    last = {}
    for row in lines(acts / "meeting_acts_train.jsonl"):
        yield plain(row["text"]), last.get(row["meeting"]), "customer"
        last[row["meeting"]] = row["text"]
    for path in sorted((folder / "meetings" / "train").glob("*.json")):
        before = None
        for turn in json.loads(path.read_text(encoding="utf-8")):
            for sentence in sentences(turn["text"]):
                yield plain(sentence), before, "customer"
                before = sentence
    for name in ("customer_reviews_train", "developer_forum_train", "tweeteval_val", "rated_nyteditorial", "rated_tweets", "rated_amazonreview"):
        for row in lines(folder / "sentiment" / f"{name}.jsonl"):
            yield plain(row["text"]), None, "customer"
    yield from mails(folder / "mail" / "usrp-users.mbox.gz")


def mails(path):
    """The writers' own words in the mails of the public support list."""
    with tempfile.NamedTemporaryFile() as plain_box:
        plain_box.write(gzip.open(path).read())
        plain_box.flush()
        for message in mailbox.mbox(plain_box.name):
            sender = f"{message.get('Reply-To') or ''} {message.get('From') or ''}".lower()
            side = "us" if any(domain in sender for domain in US) else "customer"
            before = None
            for paragraph in re.split(r"\n\s*\n", own_words(message)):
                for sentence in sentences(plain(paragraph)):
                    if len(sentence.split()) >= 3:
                        yield sentence, before, side
                        before = sentence


def own_words(message):
    body = ""
    for part in message.walk():
        if part.get_content_type() == "text/plain":
            try:
                body = part.get_payload(decode=True).decode(part.get_content_charset() or "utf-8", "replace")
            except (LookupError, AttributeError):
                pass
            break
    kept = []
    for line in body.splitlines():
        if ENDS.match(line):
            break
        if not line.startswith(">"):
            kept.append(line)
    return "\n".join(kept)


def labelled(folder, wanted):
    """The sentences whose keys are wanted, by key: text, the sentence before, side. The first one of a text counts."""
    found = {}
    for text, before, side in all_texts(folder):
        if (name := key(text)) in wanted and name not in found:
            found[name] = {"text": text, "before": before, "side": side}
    if missing := len(wanted) - len(found):
        raise SystemExit(f"{missing} of {len(wanted)} labelled sentences of public sets are not in {folder}: is it whole?")
    return found
