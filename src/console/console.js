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

function verifyOnRequest(proof, button, verdict) {
  const say = (text, good) => {
    verdict.textContent = text;
    verdict.dataset.good = good;
  };
  button.hidden = false;
  button.addEventListener("click", async () => {
    say(proof.dataset.computing, "");
    const note = readNote(proof.dataset.note, proof.dataset.key);
    const path = proof.dataset.path.split(" ").filter(Boolean).map(bytesOfHex);
    const reached = (step) => document.querySelector(`.inner[data-step="${step}"]`)?.classList.add("done");
    const root = await rootOf(bytesOfHex(proof.dataset.leaf), proof.dataset.index, note.size, path, reached);
    if (!root || !equal(root, note.root)) return say(proof.dataset.refuted, false);
    const signed = await isSigned(note);
    if (signed === undefined) return say(proof.dataset.pathOnly, true);
    say(signed ? proof.dataset.proven : proof.dataset.unsigned, signed);
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
