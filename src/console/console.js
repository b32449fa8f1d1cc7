// What the console does beyond plain pages: a search that answers as one types and drags, and proofs verified in this browser.
"use strict";

const PAUSE_MS = 250;

/** Asks for the results alone whenever the form has changed, and puts them in place. */
function answerAsOneTypes(form, results) {
  let timer, underWay;

  async function answer() {
    underWay?.abort();
    underWay = new AbortController();
    const filled = [...new FormData(form)].filter(([, value]) => value !== "");
    const address = `${form.action}?${new URLSearchParams(filled)}`;
    results.setAttribute("aria-busy", "true");
    try {
      const answer = await fetch(address, { headers: { "X-Part": "results" }, signal: underWay.signal });
      if (answer.redirected || !answer.headers.get("content-type")?.startsWith("text/html")) {
        location.assign(address);
        return;
      }
      results.innerHTML = await answer.text();
      history.replaceState(null, "", address);
      results.removeAttribute("aria-busy");
    } catch (error) {
      if (error.name !== "AbortError") location.assign(address);
    }
  }

  form.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(answer, PAUSE_MS);
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    clearTimeout(timer);
    answer();
  });
}

/** A drag across the histogram fills in from when until when. */
function pickTimesByDragging(form, results) {
  let histogram, from, brush;

  const share = (event) => {
    const { left, width } = histogram.getBoundingClientRect();
    return Math.min(Math.max((event.clientX - left) / width, 0), 1);
  };
  /** Times without an offset, as the form has them. */
  const time = (part) => {
    const [since, until] = [histogram.dataset.since, histogram.dataset.until].map((text) => Date.parse(`${text}Z`));
    return new Date(since + part * (until - since)).toISOString().slice(0, 19);
  };

  results.addEventListener("pointerdown", (event) => {
    histogram = event.target.closest(".histogram") ?? undefined;
    if (histogram) from = share(event);
  });
  results.addEventListener("pointermove", (event) => {
    if (!histogram) return;
    const to = share(event), { width, height } = histogram.viewBox.baseVal;
    if (!brush && Math.abs(to - from) * width < 4) return;
    if (!brush) {
      brush = document.createElementNS(histogram.namespaceURI, "rect");
      brush.setAttribute("class", "brush");
      brush.setAttribute("height", height);
      histogram.append(brush);
      histogram.setPointerCapture(event.pointerId);
    }
    brush.setAttribute("x", Math.min(from, to) * width);
    brush.setAttribute("width", Math.abs(to - from) * width);
  });
  results.addEventListener("pointerup", (event) => {
    if (histogram && brush) {
      const to = share(event);
      form.elements.since.value = time(Math.min(from, to));
      form.elements.until.value = time(Math.max(from, to));
      form.dispatchEvent(new Event("input"));
    }
    histogram = undefined;
    brush = undefined;
  });
  // A bar is a link: it is followed, not carried about.
  results.addEventListener("dragstart", (event) => event.target.closest(".histogram") && event.preventDefault());
}

const bytesOfHex = (hex) => Uint8Array.from(hex.match(/../g) ?? [], (pair) => parseInt(pair, 16));
const bytesOfBase64 = (text) => Uint8Array.from(atob(text), (char) => char.charCodeAt(0));
const hexOfBytes = (bytes) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
const equal = (a, b) => a.length === b.length && a.every((byte, place) => byte === b[place]);

async function sha256(...parts) {
  const all = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return new Uint8Array(await crypto.subtle.digest("SHA-256", all));
}

/** From a leaf to the root, as RFC 9162 has it (2.1.3.2); undefined if the path does not fit the place. */
async function rootOf(leaf, index, size, path, reached) {
  const node = (left, right) => sha256(Uint8Array.of(1), left, right);
  let place = BigInt(index), last = BigInt(size) - 1n;
  if (place > last) return undefined;
  let hash = await sha256(Uint8Array.of(0), leaf);
  for (const [step, sibling] of path.entries()) {
    if (last === 0n) return undefined;
    if (place % 2n === 1n || place === last) {
      hash = await node(sibling, hash);
      while (place % 2n === 0n && place > 0n) {
        place /= 2n;
        last /= 2n;
      }
    } else {
      hash = await node(hash, sibling);
    }
    place /= 2n;
    last /= 2n;
    reached(step + 1);
  }
  return last === 0n ? hash : undefined;
}

/** A signed checkpoint (C2SP tlog-checkpoint in a signed-note): what it states, and the journal's own signature. */
function readNote(note, vkey) {
  const end = note.indexOf("\n\n") + 1;
  const text = note.slice(0, end);
  const [origin, size, root] = text.split("\n");
  const [name, id] = vkey.split("+");
  const keyBytes = bytesOfBase64(vkey.slice(name.length + id.length + 2));
  const signatures = note.slice(end + 1).split("\n").map((line) => line.split(" "))
    .filter(([dash, signer]) => dash === "\u2014" && signer === name)
    .map(([, , signature]) => bytesOfBase64(signature))
    .filter((signature) => equal(signature.slice(0, 4), bytesOfHex(id)))
    .map((signature) => signature.slice(4));
  return { origin, size, root: bytesOfBase64(root), text, name, key: keyBytes.slice(1), signatures };
}

/** True or false; undefined where the browser knows no Ed25519. */
async function isSigned({ origin, name, text, key, signatures }) {
  if (origin !== name) return false;
  let imported;
  try {
    imported = await crypto.subtle.importKey("raw", key, { name: "Ed25519" }, false, ["verify"]);
  } catch {
    return undefined;
  }
  const signed = new TextEncoder().encode(text);
  for (const signature of signatures) {
    if (await crypto.subtle.verify({ name: "Ed25519" }, imported, signature, signed)) return true;
  }
  return false;
}

/** The commitment to a record, as docs/evidence.md has it. */
const commitmentTo = (record, salt) => sha256(new TextEncoder().encode("landbridge.record.v1\0"), salt, record);

/** A message's fields that are stated, by their names, as the gateway's JSON has them: bytes in hexadecimal. */
function readMessage(bytes, type) {
  const fields = LAYOUT.messages[type], read = {};
  let at = 0;
  const varint = () => {
    let value = 0n, shift = 0n;
    for (;;) {
      if (at >= bytes.length || shift > 63n) throw new RangeError("cut short");
      const byte = bytes[at++];
      value |= BigInt(byte & 127) << shift;
      if (byte < 128) return BigInt.asUintN(64, value);
      shift += 7n;
    }
  };
  const chunk = (length) => {
    if (at + length > bytes.length) throw new RangeError("cut short");
    at += length;
    return bytes.subarray(at - length, at);
  };
  const number = (value, kind) => (kind === "bool" ? value !== 0n : Number(/^(int|enum)/.test(kind) ? BigInt.asIntN(64, value) : value));
  while (at < bytes.length) {
    const tag = Number(varint()), wire = tag & 7;
    const [name, kind, isList] = fields[tag >> 3] ?? [`field ${tag >> 3}`, "bytes", false];
    let values;
    if (wire === 0) {
      values = [number(varint(), kind)];
    } else if (wire === 2) {
      const part = chunk(Number(varint()));
      if (kind === "string") values = [new TextDecoder("utf-8", { fatal: true }).decode(part)];
      else if (kind === "bytes") values = [hexOfBytes(part)];
      else if (LAYOUT.messages[kind]) values = [readMessage(part, kind)];
      else {
        const end = at;
        values = [];
        for (at -= part.length; at < end;) values.push(number(varint(), kind));
      }
    } else {
      throw new RangeError("a kind of value that records do not have");
    }
    read[name] = isList ? [...(read[name] ?? []), ...values] : values.at(-1);
  }
  return read;
}

/** A leaf of 144 bytes, as the gateway's JSON has it but for the time, which is in microseconds. */
function readLeaf(leaf) {
  const part = (from, length) => leaf.subarray(from, from + length);
  const isZero = (bytes) => bytes.every((byte) => byte === 0);
  const number = (bytes) => bytes.reduce((value, byte) => (value << 8n) | BigInt(byte), 0n);
  const hex = (bytes) => (isZero(bytes) ? null : hexOfBytes(bytes));
  const place = number(part(104, 8)), hasPeer = place !== 2n ** 64n - 1n;
  const exchange = hex(part(16, 16));
  return {
    kind: LAYOUT.kinds[leaf[4]],
    role: LAYOUT.roles[leaf[5]],
    outcome: LAYOUT.outcomes[leaf[6]],
    time: Number(number(part(8, 8))),
    exchange: exchange && exchange.replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-"),
    exchange_digest: hex(part(32, 32)),
    record_commitment: hexOfBytes(part(64, 32)),
    asker: hasPeer ? null : hex(part(96, 8)),
    peer: hasPeer ? { log: hexOfBytes(part(96, 8)), index: Number(place), leaf_hash: hexOfBytes(part(112, 32)) } : null,
  };
}

/** As the gateway writes out what is not seen. */
const visible = (text) => String(text).replace(
  /[\p{Cc}\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\u{e0000}-\u{e007f}]/gu,
  (char) => `\u27e8U+${char.codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}\u27e9`);

const visibleLines = (text) => text.split("\n").map(visible).join("\n");

/** The names of what two values do not have alike; texts as they are seen. */
function differing(one, other, name) {
  if (one !== null && other !== null && typeof one === "object" && typeof other === "object") {
    const keys = new Set([...Object.keys(one), ...Object.keys(other)]);
    return [...keys].flatMap((key) => differing(one[key], other[key], Array.isArray(one) ? name : key));
  }
  return typeof one === typeof other && visible(one) === visible(other) ? [] : [name];
}

/** What the page says of the entry otherwise than the leaf and the record do: its whole text, and each line of it. */
function misread(leaf, record) {
  const whole = JSON.parse(document.getElementById("whole").textContent);
  const { time, ...told } = whole.leaf;
  const { time: micros, ...read } = leaf;
  const wrong = differing(told, read, "leaf").concat(differing(whole.record, record, "record"));
  if (Date.parse(time) !== Math.floor(micros / 1000)) wrong.push("time");
  const { exchange } = record ?? {};
  const asker = exchange && [exchange.consumer, exchange.system].filter(Boolean).join("/");
  const lines = {
    time: [time.slice(0, 19).replace("T", " ")],
    exchange: [leaf.exchange],
    outcome: [leaf.outcome],
    ...(exchange && {
      side: [leaf.role],
      who: [`${asker} \u2192 ${exchange.provider ?? ""}`],
      what: [`${exchange.mode ?? ""} ${exchange.record_type ?? ""}`],
      agreement: [exchange.agreement ?? ""],
      purpose: [exchange.purpose ?? ""],
      case_reference: [exchange.case_reference ?? ""],
      officer: [exchange.officer ?? ""],
      policy_revision: [exchange.policy_revision ?? ""],
      field: exchange.fields ?? [],
    }),
  };
  for (const [name, wanted] of Object.entries(lines)) {
    const shown = [...document.querySelectorAll(`[data-told="${name}"]`)];
    const text = (element) => {
      if (name === "outcome") return element.querySelector("[data-outcome]").dataset.outcome;
      return (name === "field" ? element.querySelector("code") : element).textContent;
    };
    // A line that is left out says nothing wrong, but of the fields: each one that left must be listed.
    if (!shown.length && name !== "field") continue;
    if (differing(shown.map(text), wanted.map(visible), name).length) wrong.push(name);
    if (name === "field" && shown.some((element) => "masked" in element.dataset !== (exchange.masked ?? []).includes(text(element)))) wrong.push("masked");
  }
  return [...new Set(wrong)];
}

function verifyOnRequest(proof, button, verdict) {
  const say = (text, good) => {
    verdict.textContent = text;
    verdict.dataset.good = good;
  };
  const show = (text) => {
    const section = document.getElementById("read");
    section.hidden = false;
    section.querySelector("pre").textContent = text;
  };
  button.hidden = false;
  button.addEventListener("click", async () => {
    if (!globalThis.crypto?.subtle) return say(proof.dataset.insecure, false);
    say(proof.dataset.computing, "");
    const leaf = bytesOfHex(proof.dataset.leaf), read = readLeaf(leaf);
    let record = null;
    if (proof.dataset.record) {
      const bytes = bytesOfHex(proof.dataset.record);
      const commitment = await commitmentTo(bytes, bytesOfHex(proof.dataset.salt));
      if (hexOfBytes(commitment) !== read.record_commitment) return say(proof.dataset.unbound, false);
      record = readMessage(bytes, LAYOUT.record);
    }
    const note = readNote(proof.dataset.note, proof.dataset.key);
    const path = proof.dataset.path.split(" ").filter(Boolean).map(bytesOfHex);
    const reached = (step) => document.querySelector(`.inner[data-step="${step}"]`)?.classList.add("done");
    const root = await rootOf(leaf, proof.dataset.index, note.size, path, reached);
    if (!root || !equal(root, note.root)) return say(proof.dataset.refuted, false);
    const signed = await isSigned(note);
    if (signed === false) return say(proof.dataset.unsigned, false);
    const wrong = misread(read, record);
    if (wrong.length) return say(`${proof.dataset.misread} ${wrong.join(", ")}`, false);
    if (signed === undefined) return say(proof.dataset.pathOnly, "");
    say(record ? proof.dataset.proven : proof.dataset.provenLeaf, true);
    const time = new Date(Math.floor(read.time / 1000)).toISOString();
    show(visibleLines(JSON.stringify({ index: Number(proof.dataset.index), leaf: { ...read, time }, record }, null, 2)));
  });
}

const search = document.getElementById("search");
if (search) {
  const results = document.getElementById("results");
  answerAsOneTypes(search, results);
  pickTimesByDragging(search, results);
}

const proof = document.getElementById("proof");
if (proof) verifyOnRequest(proof, document.getElementById("verify"), document.getElementById("verdict"));
