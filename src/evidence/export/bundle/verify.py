"""Verifies the evidence bundle in which this file lies. Needs Python 3.8 or later and the package `cryptography`."""
import argparse, base64, hashlib, json, pathlib, sys
from datetime import datetime, timezone
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
sys.dont_write_bytecode = True  # the bundle stays as it came
from readable import decode, read_schema

def sha(*parts): return hashlib.sha256(b"".join(parts)).digest()
def node(left, right): return sha(b"\1", left, right)
def utc(micros): return datetime.fromtimestamp(micros // 10**6, timezone.utc).strftime("%Y-%m-%dT%H:%M:%S") + ".%06dZ" % (micros % 10**6)
def demand(holds, otherwise):
    if not holds: sys.exit("NOT VERIFIED: " + otherwise)

def signers(text, lines, vkeys):
    """C2SP signed-note, tlog-cosignature: the known Ed25519 keys that signed, a cosigner's with the time."""
    seen = {}
    for line in lines.splitlines():
        _, name, signature = line.split(" ")
        signature = base64.b64decode(signature)
        for vkey in vkeys:
            named, _, key = vkey.split("+", 2)
            key = base64.b64decode(key)
            if named != name or sha(name.encode(), b"\n", key)[:4] != signature[:4] or key[0] not in (1, 4): continue
            time = int.from_bytes(signature[4:12], "big") if key[0] == 4 else None
            signed = text if time is None else b"cosignature/v1\ntime %d\n" % time + text
            try: Ed25519PublicKey.from_public_bytes(key[1:]).verify(signature[-64:], signed)
            except InvalidSignature: demand(False, f"the signature of {name} on the checkpoint is not genuine")
            seen[vkey] = time
    return seen

def enough(policy, seen):
    """C2SP tlog-policy: whether as many witnesses as it asks for have cosigned."""
    met = {"none": True}
    for words in (line.split("#")[0].split() for line in policy.splitlines()):
        if words[:1] == ["witness"]: met[words[1]] = words[2] in seen
        if words[:1] == ["group"]: met[words[1]] = sum(met[m] for m in words[3:]) >= int({"any": 1, "all": len(words) - 3}.get(words[2], words[2]))
        if words[:1] == ["quorum"]: return met[words[1]]

def climb(hash, index, last, path):
    """RFC 9162, 2.1.3.2: the root to which a path leads."""
    if index > last: return None
    for sibling in path:
        if last == 0: return None
        if index & 1 or index == last:
            hash = node(sibling, hash)
            while index and not index & 1: index, last = index >> 1, last >> 1
        else: hash = node(hash, sibling)
        index, last = index >> 1, last >> 1
    return hash if last == 0 else None

def verify(folder, vkeys, policy):
    text, _, lines = (folder / "checkpoint").read_text("utf-8").rpartition("\n\n")
    origin, size, root = text.split("\n")[:3]
    seen, size, root = signers(text.encode() + b"\n", lines, vkeys), int(size), base64.b64decode(root)
    demand(any(vkey.startswith(origin + "+") and time is None for vkey, time in seen.items()), f"no known key of {origin} has signed the checkpoint")
    proofs, schema = folder / "proofs", read_schema((folder / "journal.proto").read_text("utf-8"))
    demand(policy is None or enough(policy, seen), "fewer witnesses have cosigned the checkpoint than the policy asks for")
    peaks, count, gone, erased = [], 0, set(), set()
    with open(folder / "leaves.bin", "rb") as leaves, open(folder / "records.jsonl", encoding="utf-8") as records:
        for count, line in enumerate(records, 1):
            entry, leaf = json.loads(line), leaves.read(144)
            index, hash = entry["index"], sha(b"\0", leaf)
            demand(len(leaf) == 144, f"entry {index} has no leaf")
            if entry["record"] is None: gone.add(index)  # at the end of its retention; what says so comes later
            else:
                record = base64.b64decode(entry["record"])
                demand(sha(b"landbridge.record.v1\0", bytes.fromhex(entry["salt"]), record) == leaf[64:96], f"the record of entry {index} is not the one to which its leaf commits")
                demand(entry["readable"] == decode(schema, "JournalRecord", record), f"what is told of entry {index} is not what its record says")
                for span in entry["readable"].get("erasure", {}).get("ranges", []): erased.update(range(int(span.get("first", 0)), min(int(span["end"]), index)))
            demand(entry["time"] == utc(int.from_bytes(leaf[8:16], "big")), f"the time of entry {index} is not that of its leaf")
            if proofs.exists():
                proof = (proofs / f"{index}.tlog-proof").read_text("utf-8").split("\n\n")[0].split("\n")
                path = map(base64.b64decode, proof[proof.index(f"index {index}") + 1:])
                demand(climb(hash, index, size - 1, path) == root, f"entry {index} does not lead to the root that was signed")
            else:
                demand(index == count - 1, f"entry {count - 1} is missing")
                while index & 1: hash, index = node(peaks.pop(), hash), index >> 1
                peaks.append(hash)
        demand(not leaves.read(1), "there is a leaf without its record")
    demand(proofs.exists() or gone <= erased, f"the record of entry {min(gone - erased, default=0)} is withheld: no entry says that it was erased")
    while len(peaks) > 1: peaks.append(node(*reversed([peaks.pop(), peaks.pop()])))
    demand(proofs.exists() or (count == size and (peaks or [sha()])[0] == root), f"these {count} entries are not the {size} whose root was signed")
    cosigners = ", ".join(f"{vkey.split('+')[0]} at {utc(time * 10**6)}" for vkey, time in seen.items() if time is not None)
    return f"{'each of the' if proofs.exists() else 'all'} {count} entries of {origin}, whose journal was signed at {size} entries and cosigned by {cosigners or 'nobody whose key was given'}, " + ("as the policy asks" if policy else "with no policy to say whose cosignatures suffice") + (f"; {len(gone)} records are not here, " + ("and a selection does not show why" if proofs.exists() else "erased as later entries say") if gone else "")

parser = argparse.ArgumentParser(description=__doc__)
# Not those of the bundle: whoever made it up would have put his own there.
parser.add_argument("--vkeys", type=pathlib.Path, metavar="FILE", required=True, help="the public keys that you trust, one a line: from the federation's directory, or from the departments themselves")
parser.add_argument("--policy", type=pathlib.Path, metavar="FILE", help="whose cosignatures must be there (C2SP tlog-policy), with their keys; without it nothing is demanded of witnesses")
given = parser.parse_args()
try:
    policy = given.policy and given.policy.read_text("utf-8")
    witnesses = [words[2] for words in map(str.split, (policy or "").splitlines()) if words[:1] == ["witness"]]
    print("VERIFIED:", verify(pathlib.Path(__file__).resolve().parent, given.vkeys.read_text("utf-8").split() + witnesses, policy))
except (OSError, ValueError, LookupError) as error: demand(False, f"the bundle is damaged: {error!r}")
