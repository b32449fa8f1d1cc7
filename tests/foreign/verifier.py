"""Verifies a journal's folder, a proof, or two journals against one another, by docs/evidence.md alone.

    verifier.py journal <folder> <vkey>...
    verifier.py proof <file> <vkey>...
    verifier.py pair <asker's folder> <provider's folder> <vkey>...

Prints what it found as a line of JSON; ends with 1 and a sentence on stderr when something does not hold.
Needs the package `cryptography`.
"""

import base64
import hashlib
import json
import pathlib
import struct
import sys

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

LEAF, NONE = 144, 2**64 - 1
EXCHANGE, INTENT, STREAM_END, ERASURE = 1, 2, 10, 11
CONSUMER, PROVIDER = 1, 2
ANSWERED = 1


class Wrong(Exception):
    """Something does not hold."""


def demand(holds, what):
    if not holds:
        raise Wrong(what)


def sha(*parts):
    return hashlib.sha256(b"".join(parts)).digest()


# ---- signed notes


def vkey(line):
    name, key_id, key = line.split("+", 2)
    key = base64.b64decode(key, validate=True)
    demand(sha(name.encode(), b"\n", key)[:4].hex() == key_id, f"the key of {name} has another id")
    return name, bytes.fromhex(key_id), key[0], key[1:]


def checkpoint(note, vkeys):
    """Name, size and root of a checkpoint that a trusted Ed25519 key has signed."""
    text, lines = note.rsplit(b"\n\n", 1)
    text += b"\n"
    name, size, root = text.decode().split("\n")[:3]
    signed = False
    for line in lines.decode().splitlines():
        dash, by, signature = line.split(" ")
        demand(dash == "\u2014", "a line of signatures does not begin with a dash")
        signature = base64.b64decode(signature, validate=True)
        for known, key_id, kind, key in vkeys:
            if kind != 1 or known != by or key_id != signature[:4]:
                continue
            check_signature(key, signature[4:], text, f"the signature of {by} on the checkpoint")
            signed |= known == name
    demand(signed, f"no trusted key has signed the checkpoint of {name}")
    return name, int(size), base64.b64decode(root, validate=True)


def check_signature(key, signature, text, what):
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(signature, text)
    except InvalidSignature:
        raise Wrong(f"{what} does not hold")


# ---- the tree


def leaf_hash(leaf):
    return sha(b"\0", leaf)


def node(left, right):
    return sha(b"\1", left, right)


class Tree:
    """Grows by leaves, and knows its root at every size."""

    def __init__(self):
        self.size, self.peaks = 0, []

    def push(self, value):
        self.peaks.append(value)
        self.size += 1
        n = self.size
        while n % 2 == 0:
            right, left = self.peaks.pop(), self.peaks.pop()
            self.peaks.append(node(left, right))
            n //= 2

    def root(self):
        if not self.peaks:
            return sha()
        root = self.peaks[-1]
        for left in reversed(self.peaks[:-1]):
            root = node(left, root)
        return root


def full_roots(hashes):
    """The roots of the full subtrees of 256 of these."""
    roots = []
    for first in range(0, len(hashes) - len(hashes) % 256, 256):
        level = hashes[first : first + 256]
        while len(level) > 1:
            level = [node(level[i], level[i + 1]) for i in range(0, len(level), 2)]
        roots.append(level[0])
    return roots


# ---- CRC-32C (Castagnoli)

TABLE = []
for byte in range(256):
    for _ in range(8):
        byte = byte >> 1 ^ (0x82F63B78 if byte & 1 else 0)
    TABLE.append(byte)


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc = TABLE[(crc ^ byte) & 255] ^ crc >> 8
    return crc ^ 0xFFFFFFFF


# ---- leaves and records


def parse_leaf(raw):
    demand(raw[:4] == b"LBJ1" and raw[7] == 0, "it is no leaf")
    time, ident, digest, commitment, log, index, peer = struct.unpack(">Q16s32s32s8sQ32s", raw[8:])
    demand(1 <= raw[4] <= 15 and raw[5] <= 2 and raw[6] <= 6, "its leaf has an unknown code")
    return dict(
        kind=raw[4], role=raw[5], outcome=raw[6], time=time, exchange=ident, digest=digest,
        commitment=commitment, log=log, index=index, peer=peer, hash=leaf_hash(raw),
    )


def varint(data, at):
    value = shift = 0
    while True:
        value |= (data[at] & 127) << shift
        shift += 7
        at += 1
        if data[at - 1] < 128:
            return value, at


def fields(data):
    """The fields of a protobuf message: number to the list of values."""
    found, at = {}, 0
    while at < len(data):
        key, at = varint(data, at)
        number, wire = key >> 3, key & 7
        if wire == 0:
            value, at = varint(data, at)
        elif wire == 2:
            length, at = varint(data, at)
            value, at = data[at : at + length], at + length
            demand(at <= len(data), "a record ends within a field")
        elif wire in (1, 5):
            length = 8 if wire == 1 else 4
            value, at = data[at : at + length], at + length
        else:
            raise Wrong("a record is no protobuf")
        found.setdefault(number, []).append(value)
    return found


class Record:
    """A message by the numbers of its fields in journal.proto."""

    def __init__(self, data):
        self.fields = fields(data)

    def data(self, number):
        return self.fields.get(number, [b""])[-1]

    def number(self, number):
        return self.fields.get(number, [0])[-1]

    def all(self, number):
        return self.fields.get(number, [])


def lp(part):
    return struct.pack(">H", len(part)) + part if len(part) < 65535 else b"\xff\xff" + sha(part)


def listed(parts):
    return struct.pack(">Q", len(parts)) + b"".join(map(lp, parts))


def hash_of(data):
    return data if len(data) == 32 else bytes(32)


def opening(leaf, record):
    """The bytes of the exchange digest up to the question digest: numbers of ExchangeRecord."""
    asked = record.all(14)
    if record.all(35):
        asked = Record(record.data(35)).all(1)
    agreement, schema = record.data(11), record.data(9)
    if leaf["role"] == PROVIDER:
        agreement, schema = record.data(27) or agreement, record.data(30) or schema
    names = [record.data(n) for n in (1, 2, 3, 4, 5, 6, 8)]
    return (
        b"landbridge.exchange.v2\0" + leaf["exchange"] + hash_of(record.data(18)) + b"".join(map(lp, names))
        + listed(sorted(asked)) + lp(record.data(7)) + lp(agreement) + lp(schema) + hash_of(record.data(19))
    )


def ended(begun, outcome, records, received, stated, response):
    response = hash_of(response)
    count = (received or records) if response != bytes(32) else 0
    return sha(begun, bytes([stated or outcome]), struct.pack(">Q", count), response)


def first_form(leaf, record):
    """Any of the digests that an entry of the first form may have."""
    begun = b"landbridge.exchange.v1\0" + leaf["exchange"] + hash_of(record.data(18))
    begun += b"".join(lp(record.data(n)) for n in (1, 2, 8, 5))
    end = hash_of(record.data(19)) + hash_of(record.data(20))
    return [sha(begun, bytes([outcome]), end) for outcome in range(7)] + [bytes(32)]


# ---- a journal's folder


class Journal:
    def __init__(self, folder, vkeys):
        self.folder, self.vkeys = pathlib.Path(folder), vkeys
        self.name, self.size, self.root = checkpoint((self.folder / "state/signed").read_bytes(), vkeys)
        self.leaves, self.raw, self.erased, self.erasures = [], [], {}, []
        self.open, self.exchanges, self.commits, self.time = {}, 0, 0, 0

    def verify(self):
        tree = Tree()
        for segment in sorted((self.folder / "seg").glob("*.seg")):
            demand(int(segment.stem) == tree.size, f"{segment.name} is not the segment that should follow")
            self.segment(segment.read_bytes(), tree)
        demand(tree.size >= self.size, f"the checkpoint covers {self.size} entries, the journal has {tree.size}")
        self.check_tree()
        self.check_erased()
        return self

    def segment(self, data, tree):
        at = 0
        while at + 64 <= len(data) and data[at : at + 4] != bytes(4):
            head = data[at : at + 64]
            demand(head[:3] == b"\xffLB" and head[3] in (1, 2), f"no commit begins at byte {at}")
            length, first, count, crc, root, _open = struct.unpack(">IQII32sQ", head[4:])
            demand(first == tree.size and count > 0, f"the commit at byte {at} is not the one that should follow")
            frame = data[at : at + length]
            what = f"the commit of entry {first}"
            demand(len(frame) == length, f"{what} is cut off")
            demand(crc32c(frame[:20] + frame[24:]) == crc, f"{what} has another checksum")
            entries = 64 if head[3] == 1 else 128
            self.entries(first, count, frame[entries:], tree)
            demand(tree.root() == root, f"{what} has another root")
            if head[3] == 2:
                self.check_commit(tree, frame[64:128], what)
            else:
                demand(tree.size <= self.size, f"{what} is neither signed nor published")
            demand(tree.size != self.size or root == self.root, "the entries do not have the root that was signed")
            demand(not first < self.size < tree.size, "the checkpoint ends within a commit")
            self.commits += 1
            at += length
        demand(not any(data[at:]), "there is something after the last commit")

    def check_commit(self, tree, signature, what):
        text = f"{self.name}\n{tree.size}\n{base64.b64encode(tree.root()).decode()}\n".encode()
        keys = [key for name, _, kind, key in self.vkeys if name == self.name and kind == 1]
        for key in keys:
            try:
                return check_signature(key, signature, text, f"the signature of {what}")
            except Wrong as wrong:
                failed = wrong
        raise failed

    def entries(self, first, count, data, tree):
        at = 0
        for index in range(first, first + count):
            raw, salt = data[at : at + LEAF], data[at + LEAF : at + LEAF + 32]
            (length,) = struct.unpack(">I", data[at + LEAF + 32 : at + LEAF + 36])
            gone, length = length >> 31, length & 0x7FFFFFFF
            record = data[at + LEAF + 36 : at + LEAF + 36 + length]
            demand(len(raw) == LEAF and len(record) == length, f"entry {index} is longer than its commit")
            at += LEAF + 36 + length
            try:
                self.entry(index, raw, salt, record, gone)
            except Wrong as wrong:
                raise Wrong(f"entry {index}: {wrong}")
            tree.push(leaf_hash(raw))
        demand(at == len(data), "a commit is longer than its entries")

    def entry(self, index, raw, salt, record, gone):
        leaf = parse_leaf(raw)
        demand(leaf["time"] >= self.time, "its time is before that of the entry before it")
        self.time = leaf["time"]
        self.leaves.append(leaf)
        self.raw.append(raw)
        if gone:
            demand(not any(salt + record), "it calls itself erased and still holds something")
            self.erased[index] = leaf
            return self.erased_entry(index, leaf)
        commitment = sha(b"landbridge.record.v1\0", salt, record)
        demand(commitment == leaf["commitment"], "its record does not match its commitment")
        record = Record(record)
        if leaf["kind"] in (EXCHANGE, INTENT):
            self.exchange(index, leaf, record)
        elif leaf["kind"] == STREAM_END:
            self.end(leaf, record)
        elif leaf["kind"] == ERASURE:
            demand(record.all(8), "its record is not that of an erasure")
            for span in Record(record.data(8)).all(3):
                span = Record(span)
                self.erasures.append((index, span.number(1), span.number(2)))

    def exchange(self, index, leaf, record):
        demand(record.all(1), "its record is not that of an exchange")
        record = Record(record.data(1))
        form = record.number(38)
        demand(form in (0, 2), f"its digest is of form {form}")
        self.exchanges += 1
        begun = None
        if form == 0:
            fits = leaf["digest"] in first_form(leaf, record)
        else:
            begun = opening(leaf, record)
            told = (record.number(21), record.number(36), record.number(37), record.data(20))
            fits = leaf["digest"] == ended(begun, leaf["outcome"], *told)
        demand(fits, "its record does not say what its exchange digest says")
        if leaf["kind"] == INTENT:
            self.open[index] = (leaf, begun)

    def end(self, leaf, record):
        demand(record.all(2), "its record is not that of a stream's end")
        end = Record(record.data(2))
        demand(end.number(1) in self.open, "it ends a stream that is not open")
        first, begun = self.open.pop(end.number(1))
        demand(first["exchange"] == leaf["exchange"], "it ends a stream of another exchange")
        told = (end.number(3), end.number(18), end.number(19), end.data(2))
        if not end.data(2):
            fits = leaf["digest"] == first["digest"]
        else:
            # Without the record of the opening it cannot be told.
            fits = begun is None or leaf["digest"] == ended(begun, leaf["outcome"], *told)
        demand(fits, "its record does not say what its exchange digest says")

    def erased_entry(self, index, leaf):
        if leaf["kind"] == INTENT:
            self.open[index] = (leaf, None)
        elif leaf["kind"] == STREAM_END:
            same = [at for at, (first, _) in self.open.items() if first["exchange"] == leaf["exchange"]]
            demand(same, "it ends a stream, and none of its exchange is open")
            del self.open[same[0]]

    def check_erased(self):
        for index in self.erased:
            spoken = any(first <= index < end and at < self.size for at, first, end in self.erasures)
            demand(spoken, f"entry {index}: its record is withheld: no erasure speaks for it")

    def check_tree(self):
        raw = b"".join(self.raw[: self.size])
        demand((self.folder / "leaves.dat").read_bytes()[: len(raw)] == raw, "leaves.dat has other leaves")
        level, hashes = 0, [leaf["hash"] for leaf in self.leaves[: self.size]]
        while hashes:
            found = (self.folder / f"hash/{level}.dat").read_bytes()[: 32 * len(hashes)]
            demand(found == b"".join(hashes), f"hash/{level}.dat has other hashes")
            level, hashes = level + 1, full_roots(hashes)


# ---- a proof


def verify_proof(text, vkeys):
    head, note = text.split(b"\n\n", 1)
    lines = head.decode().split("\n")
    demand(lines[0] == "c2sp.org/tlog-proof@v1", "it is no tlog-proof")
    demand(lines[1].startswith("extra ") and lines[2].startswith("index "), "it has no leaf or no index")
    leaf = base64.b64decode(lines[1][6:], validate=True)
    index = int(lines[2][6:])
    path = [base64.b64decode(line, validate=True) for line in lines[3:]]
    name, size, root = checkpoint(note, vkeys)
    demand(len(leaf) == LEAF and index < size, "its leaf is not one of the tree")
    demand(climb(leaf_hash(leaf), index, size - 1, path) == root, "its path does not lead to the root that was signed")
    return dict(origin=name, size=size, index=index, exchange=parse_leaf(leaf)["exchange"].hex())


def climb(value, index, last, path):
    """RFC 9162, 2.1.3.2."""
    for sibling in path:
        if last == 0:
            return None
        if index & 1 or index == last:
            value = node(sibling, value)
            while index and not index & 1:
                index, last = index >> 1, last >> 1
        else:
            value = node(value, sibling)
        index, last = index >> 1, last >> 1
    return value if last == 0 else None


# ---- two journals


def verify_pair(asker, provider):
    """Each answer that the asker holds a receipt for stands in the provider's journal, with the same digest."""
    log, answered, agreed, pending = sha(provider.name.encode())[:8], {}, 0, 0
    for index, leaf in enumerate(provider.leaves):
        if leaf["role"] == PROVIDER:
            answered[index] = leaf
    for leaf in asker.leaves:
        if leaf["role"] != CONSUMER or leaf["index"] == NONE or leaf["log"] != log:
            continue
        if leaf["index"] >= len(provider.leaves):
            pending += 1
            continue
        theirs = answered.get(leaf["index"])
        name = leaf["exchange"].hex()
        demand(theirs and theirs["hash"] == leaf["peer"], f"exchange {name}: the provider has another entry there")
        demand(theirs["exchange"] == leaf["exchange"], f"exchange {name}: its receipt is of another exchange")
        # The end of a stream that was cut names the opening.
        if theirs["kind"] != INTENT or leaf["kind"] == INTENT:
            demand(theirs["digest"] == leaf["digest"], f"exchange {name}: the two accounts differ")
            agreed += 1
    return dict(agreed=agreed, pending=pending)


def main(what, *words):
    if what == "proof":
        return verify_proof(pathlib.Path(words[0]).read_bytes(), [vkey(word) for word in words[1:]])
    if what == "pair":
        vkeys = [vkey(word) for word in words[2:]]
        return verify_pair(*(Journal(folder, vkeys).verify() for folder in words[:2]))
    journal = Journal(words[0], [vkey(word) for word in words[1:]]).verify()
    return dict(
        origin=journal.name, published=journal.size, entries=len(journal.leaves), commits=journal.commits,
        exchanges=journal.exchanges, open=len(journal.open), erased=len(journal.erased),
    )


if __name__ == "__main__":
    try:
        print(json.dumps(main(*sys.argv[1:])))
    except Wrong as wrong:
        sys.exit(f"NOT VERIFIED: {wrong}")
    except (ValueError, IndexError, struct.error, OSError) as unreadable:
        sys.exit(f"NOT VERIFIED: it cannot be read: {unreadable}")
