"""Trains the reader and writes `reader.safetensors`, `tokenizer.json`, `config.json` and `measured.json` beside this file.

    python train.py --public FOLDER --original FOLDER [--epochs N]

FOLDER of --public holds the sets named in README.md, that of --original the files of all-MiniLM-L6-v2. The same seed, data and
machine give the same weights.
"""

import argparse
import copy
import hashlib
import json
import pathlib
import random
import re
import time

import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer
from torch.nn import functional as F

import rows
from encoder import Reader, load_original, original_vectors

HERE = pathlib.Path(__file__).parent
SEED = 7360
# Tokens: of what stands before (its end is kept), and of the sentence.
BEFORE, SENTENCE = 48, 128
BATCH = 32
RATE, HEAD_RATE, DECAY = 1.5e-4, 6e-4, 0.9
DROP = 0.1
# Half precision where the processor has it: elsewhere it would be many times slower.
HALF = torch.cpu._is_avx512_bf16_supported()
# Characters of a stretch of a meeting, as the program puts them together.
ENOUGH = 300
# How much a large number in the map to the sentence vectors costs.
RIDGE = 1e-5
# How often a row is seen in an epoch, by source; 1 where none is named.
TIMES = {"sst5": 2.0, "customer_reviews": 1.5, "rated_nyteditorial": 0.5, "rated_tweets": 0.6, "meeting_acts": 0.4, "email_intent": 0.5, "labels": 3.0, "unlabelled": 0.4}
# Sentences of public sets rarely do anything: those that do are seen as often as ours.
TIMES |= {"public acts": 2.0, "public mentions": 2.0}
TIMES |= {f"{name}.tsv": 2.0 for name in (*"abcdeghijknop", *(f"stance-{c}" for c in "abde"), *(f"trap-{c}" for c in "acd"))}
# What a mistake of each kind weighs.
WEIGHTS = {"sentiment": 1.5, "question": 1.0, "commitment": 1.0, "objection": 1.0, "positive_signal": 1.0, "objection_sub": 0.6, "signal_sub": 0.6, "stance": 1.0, "vector": 3.0}


class Words:
    """Texts to numbers. The side, the title and what stands before are the first segment, the sentence is the second."""

    def __init__(self, path):
        self.tokenizer = Tokenizer.from_file(str(path))
        self.tokenizer.no_truncation()
        self.tokenizer.no_padding()

    def ids(self, text):
        return self.tokenizer.encode(text, add_special_tokens=False)

    def read(self, row):
        first = row.get("side") or "customer"
        if row.get("title"):
            first += ", " + row["title"]
        head = self.ids(first + ":").ids[:16]
        before = self.ids(row["before"]).ids[-(BEFORE - len(head)):] if row.get("before") else []
        sentence = self.ids(row["text"])
        body = sentence.ids[:SENTENCE]
        made = {"ids": [101, *head, *before, 102, *body, 102], "first": len(head) + len(before) + 2}
        if "mention" in row:
            start, end, _ = row["mention"]
            spans = sentence.offsets[:SENTENCE]
            inside = [i for i, (a, b) in enumerate(spans) if a < end and b > start]
            if not inside:
                return None
            made["mention"] = [made["first"] + i for i in inside]
        return made


def varied(row, names, chance):
    """The same row as somebody else might have written it: without its last mark, without what stands before, about another competitor."""
    row = dict(row)
    if row.get("before") and chance.random() < 0.1:
        row["before"] = None
    if row.get("title") and chance.random() < 0.3:
        row["title"] = None
    if "mention" in row:
        if chance.random() < 0.4:
            start, end, stance = row["mention"]
            name = chance.choice(names)
            row["original"] = row["text"]
            row["text"] = row["text"][:start] + name + row["text"][end:]
            row["mention"] = (start, start + len(name), stance)
    elif chance.random() < 0.12 or (row["from"] == "meeting_acts" and chance.random() < 0.5):
        row["original"] = row["text"]
        row["text"] = row["text"].rstrip(" .!?") or row["text"]
    return row


def batched(rows_, words, size, chance=None, names=()):
    """Batches of rows of like length."""
    read = []
    for row in rows_:
        row = varied(row, names, chance) if chance else row
        made = words.read(row)
        if made and len(made["ids"]) > made["first"] + 1:
            read.append((row, made))
    if chance:
        chance.shuffle(read)
        chunks = [sorted(read[i : i + size * 40], key=lambda r: len(r[1]["ids"])) for i in range(0, len(read), size * 40)]
        batches = [chunk[i : i + size] for chunk in chunks for i in range(0, len(chunk), size)]
        chance.shuffle(batches)
    else:
        read.sort(key=lambda r: len(r[1]["ids"]))
        batches = [read[i : i + size] for i in range(0, len(read), size)]
    return batches


def padded(lists, value=0):
    longest = max(map(len, lists))
    return torch.tensor([one + [value] * (longest - len(one)) for one in lists])


def inputs(batch):
    ids = padded([made["ids"] for _, made in batch])
    mask = padded([[1] * len(made["ids"]) for _, made in batch]).bool()
    segments = padded([[0] * made["first"] + [1] * (len(made["ids"]) - made["first"]) for _, made in batch])
    mention = torch.zeros_like(mask)
    for at, (_, made) in enumerate(batch):
        for place in made.get("mention", ()):
            mention[at, place] = True
    return ids, segments, mask, mention


def losses(read, batch, target):
    """The mean loss of each task over the rows that know its answer."""
    made = {}

    def known(name):
        at = [i for i, (row, _) in enumerate(batch) if row.get(name) is not None]
        return at, [batch[i][0][name] for i in at]

    at, wanted = known("sentiment")
    if at:
        wanted = torch.tensor(wanted) * 0.94 + 0.02
        made["sentiment"] = -(wanted * F.log_softmax(read["sentiment"][at].float(), -1)).sum(-1).mean()
    for act in rows.ACTS:
        at, wanted = known(act)
        if at:
            made[act] = F.binary_cross_entropy_with_logits(read[act][at, 0].float(), torch.tensor(wanted) * 0.96 + 0.02)
    for name in ("objection_sub", "signal_sub"):
        at, wanted = known(name)
        if at:
            made[name] = F.cross_entropy(read[name][at].float(), torch.tensor(wanted), label_smoothing=0.05)
    at, wanted = known("mention")
    if at:
        made["stance"] = F.cross_entropy(read["stance"][at].float(), torch.tensor([stance for _, _, stance in wanted]), label_smoothing=0.05)
    vector = read["vector"]
    near = (vector @ vector.T - target @ target.T).square().mean()
    made["vector"] = (1 - (vector * target).sum(-1)).mean() + 2 * near
    return made


def vectors(teacher, texts, words):
    """The original sentence vectors, by text."""
    found, texts = {}, sorted(set(texts), key=len)
    for at in range(0, len(texts), 64):
        some = texts[at : at + 64]
        ids = [[101, *words.ids(text).ids[:SENTENCE], 102] for text in some]
        with torch.no_grad(), torch.autocast("cpu", torch.bfloat16, enabled=HALF):
            made = original_vectors(teacher, padded(ids), padded([[1] * len(one) for one in ids]).bool())
        found |= dict(zip(some, made))
    return found


def train(reader, originals, learnt, words, epochs, chance):
    names = sorted({row["text"][row["mention"][0] : row["mention"][1]] for row in learnt if "mention" in row})
    groups, decay = [], lambda name: 0.0 if name.endswith("bias") or "norm" in name else 0.01
    for name, weight in reader.named_parameters():
        part = name.split(".")
        # The words are learnt as slowly as the first layer.
        depth = int(part[1]) if part[0] == "layers" else 0
        rate = RATE * DECAY ** (len(reader.layers) - 1 - depth) if part[0] in ("layers", "words", "places", "segments", "norm") else HEAD_RATE
        groups.append({"params": [weight], "lr": rate, "weight_decay": decay(name)})
    optimizer = torch.optim.AdamW(groups, betas=(0.9, 0.98), fused=True)
    average, started, step = copy.deepcopy(reader).requires_grad_(False), time.time(), 0
    pairs = [(ours, theirs) for (_, ours), (_, theirs) in zip(average.named_parameters(), reader.named_parameters())]
    plans = []
    for _ in range(epochs):
        seen = []
        for row in learnt:
            times = TIMES.get(row["from"], 1.0)
            seen += [row] * (int(times) + (chance.random() < times % 1))
        plans.append(batched(seen, words, BATCH, chance, names))
    steps = sum(map(len, plans))
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda s: min(1.0, (s + 1) / (0.06 * steps)) * max(0.02, 1 - s / steps))
    for epoch, plan in enumerate(plans):
        sums, counts = {}, {}
        for batch in plan:
            ids, segments, mask, mention = inputs(batch)
            target = torch.stack([originals[row.get("original", row["text"])] for row, _ in batch])
            with torch.autocast("cpu", torch.bfloat16, enabled=HALF):
                read = reader(ids, segments, mask, mention, DROP)
            made = losses(read, batch, target)
            loss = sum(WEIGHTS[name] * value for name, value in made.items())
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(reader.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            step += 1
            keep = min(0.998, (step + 1) / (step + 10))
            with torch.no_grad():
                for ours, theirs in pairs:
                    ours.lerp_(theirs, 1 - keep)
            for name, value in made.items():
                sums[name], counts[name] = sums.get(name, 0.0) + value.item(), counts.get(name, 0) + 1
            if step % 100 == 0:
                print(f"step {step}/{steps}, {time.time() - started:.0f} s", {n: round(sums[n] / counts[n], 3) for n in sums}, flush=True)
                sums, counts = {}, {}
    return average


def read_all(reader, rows_, words):
    """What the reader makes of rows: logits beside each row."""
    read = []
    reader.eval()
    with torch.no_grad():
        for batch in batched(rows_, words, 64):
            ids, segments, mask, mention = inputs(batch)
            made = reader(ids, segments, mask, mention)
            read += [(row, {name: made[name][i].float() for name in made}) for i, (row, _) in enumerate(batch)]
    return read


def calibrated(read):
    """Temperatures by task, and the bias that makes the yes/no tasks right as often as they are sure."""
    found = {}
    for name in ("sentiment", "objection_sub", "signal_sub", "stance", *rows.ACTS):
        key = "mention" if name == "stance" else name
        known = [(made[name], row[key]) for row, made in read if row.get(key) is not None]
        logits = torch.stack([logit for logit, _ in known])
        scale, shift = torch.zeros(1, requires_grad=True), torch.zeros(1, requires_grad=name in rows.ACTS)
        optimizer = torch.optim.LBFGS([scale, shift] if name in rows.ACTS else [scale], max_iter=100)

        def loss():
            optimizer.zero_grad()
            scaled = logits / scale.exp() + shift
            if name == "sentiment":
                value = -(torch.tensor([w for _, w in known]) * F.log_softmax(scaled, -1)).sum(-1).mean()
            elif name in rows.ACTS:
                value = F.binary_cross_entropy_with_logits(scaled[:, 0], torch.tensor([w for _, w in known]))
            else:
                value = F.cross_entropy(scaled, torch.tensor([w[2] if name == "stance" else w for _, w in known]))
            value.backward()
            return value

        optimizer.step(loss)
        # Where hardly a held-out row is wrong, no temperature would be low enough: twice as sure is all that so few rows can say.
        found[name] = {"temperature": round(max(scale.exp().item(), 0.5), 4), "shift": round(shift.item(), 4)}
    return found


def fit_vector(reader, originals, texts, words):
    """The map from the layers' means to the original vectors, by least squares: how it was learnt along the way is only near that."""
    read = read_all(reader, [{"text": text} for text in texts], words)
    means = torch.stack([made["means"] for _, made in read]).double()
    wanted = torch.stack([originals[row["text"]] for row, _ in read]).double()
    middle, target = means.mean(0), wanted.mean(0)
    means, wanted = means - middle, wanted - target
    weight = torch.linalg.solve(means.T @ means + RIDGE * len(read) * torch.eye(means.shape[1]), means.T @ wanted)
    with torch.no_grad():
        reader.vector.weight.copy_(weight.T)
        reader.vector.bias.copy_(target - middle @ weight)


def meetings(folder, reader, words):
    """The training meetings: the layers' means of their stretches and of the questions, and which stretch answers which."""
    made = []
    for path in sorted((folder / "meetings" / "train").glob("*.transcript.json")):
        turns = json.loads(path.read_text(encoding="utf-8"))
        asked = [row for row in rows.lines(folder / "meetings" / "queries_train.jsonl") if row["meeting"] == path.name.removesuffix(".transcript.json") and row["relevant_segments"]]
        if not asked:
            continue
        said = [(at, text.strip()) for at, turn in enumerate(turns) for text in re.split(r"(?<=[.?!])\s+", turn["text"]) if text.strip()]
        read = read_all(reader, [{"text": text, "at": at} for at, text in enumerate([text for _, text in said] + [row["query"] for row in asked])], words)
        means = torch.stack([one["means"] for _, one in sorted(read, key=lambda pair: pair[0]["at"])])
        stretches, places, lengths = [], [], [ENOUGH]
        for at, (turn, text) in enumerate(said):
            if lengths[-1] >= ENOUGH:
                stretches.append(torch.zeros(means.shape[1]))
                places.append(set())
                lengths.append(0)
            stretches[-1] += means[at] * len(text)
            places[-1].add(turn)
            lengths[-1] += len(text)
        right = [{at for first, last in row["relevant_segments"] for at in range(first, min(last, len(turns) - 1) + 1)} for row in asked]
        answers = torch.tensor([[not place.isdisjoint(of) for place in places] for of in right])
        useful = answers.any(1) & ~answers.all(1)
        if useful.any():
            made.append((torch.stack(stretches) / torch.tensor(lengths[1:])[:, None], means[len(said) :][useful], answers[useful]))
    return made


def sharpen_vector(reader, meetings, chance):
    """Turns the vectors so that questions are nearer to what answers them than to the rest of a meeting: one linear step behind the map,
    held close to doing nothing. Its size, rate and passes were chosen on every fifth of the training meetings."""
    weight, bias = reader.vector.weight.detach(), reader.vector.bias.detach()
    meetings = [(said @ weight.T + bias, asked @ weight.T + bias, answers) for said, asked, answers in meetings]
    turn = torch.zeros(weight.shape[0], weight.shape[0], requires_grad=True)
    optimizer = torch.optim.Adam([turn], lr=1e-4)
    for _ in range(4):
        chance.shuffle(meetings)
        for said, asked, answers in meetings:
            said, asked = (F.normalize(some + some @ turn.T, dim=-1) for some in (said, asked))
            near = asked @ said.T / 0.05
            missed = torch.logsumexp(near, 1) - torch.logsumexp(near.masked_fill(~answers, -1e9), 1)
            optimizer.zero_grad()
            (missed.mean() + 0.1 * turn.square().sum()).backward()
            optimizer.step()
    with torch.no_grad():
        reader.vector.weight.add_(turn @ weight)
        reader.vector.bias.add_(turn @ bias)


def f1(pairs, positive=True):
    hit = sum(a == positive and b == positive for a, b in pairs)
    said, true = sum(a == positive for a, _ in pairs), sum(b == positive for _, b in pairs)
    return 2 * hit / max(1, said + true)


def measured(reader, sets, words, calibration):
    """The quality on rows that were not learnt from."""
    table = {}
    for name, rows_ in sets.items():
        read = read_all(reader, rows_, words)
        with_sentiment = [(made["sentiment"], torch.tensor(row["sentiment"]).argmax().item()) for row, made in read if row.get("sentiment")]
        if with_sentiment:
            said = [(logits.argmax().item(), true) for logits, true in with_sentiment]
            polar = [(logits[0] > logits[2], true == 0) for logits, true in with_sentiment if true != 1]
            probability = [torch.softmax(logits / calibration["sentiment"]["temperature"], -1).max().item() for logits, _ in with_sentiment]
            ece = 0.0
            for low in range(10):
                at = [i for i, p in enumerate(probability) if low / 10 < p <= (low + 1) / 10]
                if at:
                    ece += abs(sum(said[i][0] == said[i][1] for i in at) - sum(probability[i] for i in at)) / len(probability)
            table[f"{name}: sentiment"] = {
                "rows": len(said),
                "accuracy": sum(a == b for a, b in said) / len(said),
                "polar accuracy": sum(bool(a) == b for a, b in polar) / max(1, len(polar)),
                "macro-F1": sum(f1(said, label) for label in range(3)) / 3,
                "calibration error": ece,
            }
        for act in rows.ACTS:
            shown = [(made[act][0] / calibration[act]["temperature"] + calibration[act]["shift"] > 0, row[act] > 0.5) for row, made in read if row.get(act) is not None]
            if any(true for _, true in shown):
                table[f"{name}: {act}"] = {"rows": len(shown), "positive": sum(t for _, t in shown), "F1": f1([(bool(a), b) for a, b in shown])}
        for task, key in (("objection_sub", "objection_sub"), ("signal_sub", "signal_sub"), ("stance", "mention")):
            said = [(made[task].argmax().item(), row[key][2] if key == "mention" else row[key]) for row, made in read if row.get(key) is not None]
            if said:
                table[f"{name}: {task}"] = {"rows": len(said), "accuracy": sum(a == b for a, b in said) / len(said)}
    return table


def ship(reader, calibration, table, tokenizer, version, out):
    """Writes the files that the program reads: matrices in half precision, word vectors in one byte a number."""
    weights = {name: value.half().contiguous() for name, value in reader.state_dict().items()}
    vectors = reader.words.weight.detach()
    scale = vectors.abs().amax(1).clamp(min=1e-8) / 127
    weights["words.weight"] = (vectors / scale[:, None]).round().add(128).to(torch.uint8)
    weights["words.scale"] = scale
    save_file(weights, out / "reader.safetensors")
    (out / "tokenizer.json").write_bytes(tokenizer.read_bytes())
    digest = lambda name: hashlib.sha256((out / name).read_bytes()).hexdigest()
    card = {"version": version, "weights_sha256": digest("reader.safetensors"), "tokenizer_sha256": digest("tokenizer.json"), "calibration": calibration}
    (out / "config.json").write_text(json.dumps(card, indent=1) + "\n")
    (out / "measured.json").write_text(json.dumps(table, indent=1) + "\n")


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--public", type=pathlib.Path, required=True)
    options.add_argument("--original", type=pathlib.Path, required=True)
    options.add_argument("--epochs", type=int, default=4)
    options.add_argument("--version", type=int, default=1)
    options.add_argument("--out", type=pathlib.Path, default=HERE)
    options = options.parse_args()
    torch.manual_seed(SEED)
    chance = random.Random(SEED)
    words = Words(options.original / "tokenizer.json")
    teacher = load_original(options.original / "model.safetensors").eval().requires_grad_(False)
    reader = load_original(options.original / "model.safetensors").train()

    learnt, sets = rows.public(options.public)
    own, kept_out = rows.own()
    half, other_half = rows.labels(options.public)
    # A twelfth of what is labelled for this project is not learnt from: it tells how sure the answers may be.
    ours = own + half + rows.named_by_hash(options.public)
    held = [row for row in ours if rows.share("calibration " + row["text"]) < 21]
    learnt += [row for row in ours if rows.share("calibration " + row["text"]) >= 21]
    unlabelled = rows.unlabelled(options.public, 8_000)
    learnt += [{"text": text, "from": "unlabelled"} for text in unlabelled]
    print(len(learnt), "rows to learn from,", len(held), "to calibrate with", flush=True)
    sets |= {"labels": other_half}
    for name in rows.KEPT_OUT:
        sets[name] = [row for row in kept_out if row["from"] == name]

    started = time.time()
    originals = vectors(teacher, [row["text"] for row in learnt], words)
    print(f"{time.time() - started:.0f} s for the original vectors", flush=True)
    reader = train(reader, originals, learnt, words, options.epochs, chance)
    fit_vector(reader, originals, unlabelled + sorted({row["text"] for row in ours} & set(originals)), words)
    sharpen_vector(reader, meetings(options.public, reader, words), chance)
    calibration = calibrated(read_all(reader, held, words))
    table = measured(reader, sets, words, calibration)
    for name, figures in table.items():
        print(name, {key: round(value, 3) for key, value in figures.items()})
    print(f"{time.time() - started:.0f} s")
    ship(reader, calibration, table, options.original / "tokenizer.json", options.version, options.out)


if __name__ == "__main__":
    main()
