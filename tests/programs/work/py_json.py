# What: one thread of ordinary work: a nested document through json, pickle, regular expressions, big integers, zlib.
import collections
import hashlib
import json
import pickle
import re
import sys
import zlib

SCALE = float(sys.argv[1])  # rounds, or a part of one
state = 12345


def rnd(bound):
    global state
    state = (state * 6364136223846793005 + 1442695040888963407) % 2**64
    return (state >> 33) % bound


def word():
    return "".join(chr(97 + rnd(26)) for _ in range(1 + rnd(14)))


def document(depth):
    kind = rnd(4) if depth else 4 + rnd(4)
    if kind < 2:
        return {word(): document(depth - 1) for _ in range(3 + rnd(6))}
    if kind < 4:
        return [document(depth - 1) for _ in range(3 + rnd(6))]
    return (word() * (1 + rnd(40)), rnd(10**9), rnd(1000) / 8, None)[kind - 4]


def show(name, data):
    print(name, len(data), hashlib.sha256(data).hexdigest())


def one_round(number):
    doc = {"round": number, "body": [document(5) for _ in range(max(1, int(6 * min(1, SCALE))))]}
    text = json.dumps(doc, sort_keys=True, indent=1)
    assert json.loads(text) == doc
    show("json", text.encode())
    blob = pickle.dumps(doc, protocol=4)
    assert pickle.loads(blob) == doc
    packed = zlib.compress(blob, 6)
    assert zlib.decompress(packed) == blob
    show("zlib", packed)
    counts = collections.Counter(re.findall(r"[a-z]{3,8}", text))
    show("words", repr(counts.most_common(300)).encode())
    pieces = sorted(text.split("\n"), key=lambda line: (line[::-1], len(line)))
    show("lines", "\n".join(pieces).encode())
    big = 3 ** (20000 + number)
    show("bigint", str(big % 10**3000).encode())
    grown = bytearray()
    for line in pieces:
        grown += line.encode()
    show("grown", bytes(grown))


for number in range(max(1, int(SCALE))):
    one_round(number)
