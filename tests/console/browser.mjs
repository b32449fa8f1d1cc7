// Looks at every page of the console in Debian's Chromium, as each role would, and keeps pictures of them.
//
//     node browser.mjs '{"origin": "http://127.0.0.1:9443", "pictures": "…", "accounts": {"auditor": {"name", "password", "otpauth"}}, …}'
import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { mkdir } from "node:fs/promises";
import axe from "axe-core";
import puppeteer from "puppeteer-core";

const given = JSON.parse(process.argv[2]);
const CONSOLE = `${given.origin}/console`;
const SIZES = { wide: { width: 1280, height: 900 }, narrow: { width: 390, height: 844 } };
const RULES = { runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"] };
const MAX_BYTES = 200 * 1024;

/** RFC 6238, by another implementation than the gateway's. */
function code(otpauth) {
  const secret = new URL(otpauth).searchParams.get("secret");
  const bits = [...secret].map((char) => "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".indexOf(char).toString(2).padStart(5, "0")).join("");
  const key = Buffer.from(bits.match(/.{8}/g).map((byte) => parseInt(byte, 2)));
  const step = Buffer.alloc(8);
  step.writeBigUInt64BE(BigInt(Math.floor(Date.now() / 30_000)));
  const digest = createHmac("sha1", key).update(step).digest();
  const at = digest[19] & 15;
  return String((digest.readUInt32BE(at) & 0x7fffffff) % 1_000_000).padStart(6, "0");
}

/** A page whose every request stays with the gateway, and that complains of nothing. */
async function open(browser, complaints) {
  const context = await browser.createBrowserContext();
  const page = await context.newPage();
  await page.setViewport(SIZES.wide);
  await page.setExtraHTTPHeaders({ "Accept-Language": "en" });
  page.on("console", (message) => message.type() === "error" && complaints.push(`${page.url()}: ${message.text()}`));
  page.on("pageerror", (error) => complaints.push(`${page.url()}: ${error}`));
  page.on("request", (request) => {
    // Its own icons for picking a time the browser has as data.
    const { protocol, origin } = new URL(request.url());
    if (protocol !== "data:" && origin !== given.origin) complaints.push(`asked for ${request.url()}`);
  });
  return page;
}

async function signIn(page, { name, password, otpauth }) {
  await page.goto(`${CONSOLE}/exchanges`);
  assert.equal(page.url(), `${CONSOLE}/sign-in`);
  // By the keyboard alone.
  await page.focus("#name");
  await page.keyboard.type(name);
  await page.keyboard.press("Tab");
  await page.keyboard.type(password);
  await page.keyboard.press("Tab");
  await page.keyboard.type(code(otpauth));
  await Promise.all([page.waitForNavigation(), page.keyboard.press("Enter")]);
}

/** Each size in one of the lights: pictures, nothing wider than the screen, and nothing that axe finds. */
async function look(page, name) {
  for (const [size, scheme] of [["wide", "light"], ["narrow", "dark"]]) {
    await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: scheme }]);
    await page.setViewport(SIZES[size]);
    const [inner, outer] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
    assert.ok(inner <= outer, `${name} at ${SIZES[size].width} px is ${inner} px wide`);
    await page.screenshot({ path: `${given.pictures}/${name}-${size}-${scheme}.png`, fullPage: true });
    await page.evaluate(axe.source);
    const { violations } = await page.evaluate((rules) => axe.run(document, rules), RULES);
    const told = violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(" | ").slice(0, 300)}`);
    assert.deepEqual(told, [], `${name} ${size} ${scheme}`);
  }
  await page.setViewport(SIZES.wide);
}

const text = (page, selector) => page.$eval(selector, (element) => element.textContent);
const menu = (page) => page.$$eval("nav a", (links) => links.map((link) => link.textContent));

async function searches(page) {
  await page.goto(`${CONSOLE}/exchanges`);
  await look(page, "exchanges");
  const all = await page.$$("tbody tr");
  assert.equal(all.length, 100);
  assert.ok(await page.$("a[rel=next]"));
  await Promise.all([page.waitForNavigation(), page.click("a[rel=next]")]);
  assert.match(page.url(), /before=/);

  // It answers as one types, and a question can be kept as a link.
  await page.goto(`${CONSOLE}/exchanges`);
  await page.type("#case_reference", given.hostile);
  await page.waitForFunction(() => document.querySelectorAll("tbody tr").length === 1);
  await page.reload();
  assert.equal(await page.$eval("#case_reference", (input) => input.value), given.hostile);
  await page.select("#outcome", "denied");
  await page.waitForFunction((nothing) => document.querySelector("#results").textContent.includes(nothing), {}, "Nothing fits.");
  await page.select("#outcome", "");
  await page.waitForSelector("tbody tr");
  const [began] = await Promise.all([page.waitForNavigation(), page.click("tbody th a")]);
  assert.equal(began.status(), 200);
}

/** A drag across the histogram picks its time; a bar is a link. */
async function brushes(page) {
  await page.goto(`${CONSOLE}/exchanges`);
  const { x, y, width, height } = await page.$eval(".histogram", (svg) => {
    const { x, y, width, height } = svg.getBoundingClientRect();
    return { x, y, width, height };
  });
  const since = await page.$eval(".histogram", (svg) => svg.dataset.since);
  await page.mouse.move(x + width * 0.25, y + height / 2);
  await page.mouse.down();
  await page.mouse.move(x + width * 0.5, y + height / 2, { steps: 5 });
  await page.mouse.up();
  await page.waitForFunction((before) => document.querySelector(".histogram").dataset.since !== before, {}, since);
  const [from, until] = await page.$eval("#search", ({ elements }) => [elements.since.value, elements.until.value]);
  assert.ok(since < from && from <= until, `${since} ${from} ${until}`);
  assert.ok(page.url().includes(`since=${encodeURIComponent(from)}`), page.url());
  await Promise.all([page.waitForNavigation(), page.evaluate(() => [...document.querySelectorAll("#results > p a")].at(0).click())]);
  assert.ok(!page.url().includes("since="), page.url());
  await page.$eval(".histogram a", (bar) => bar.focus());
  await Promise.all([page.waitForNavigation(), page.keyboard.press("Enter")]);
  assert.match(page.url(), /since=/);
  assert.ok((await page.$$("tbody tr")).length > 0);
}

async function proves(page) {
  await look(page, "entry");
  const content = await text(page, "main");
  const shown = given.hostile.replace("\u202e", "⟨U+202E⟩");
  assert.ok(content.includes(`${shown}长长`) && content.split(shown).length > 2, "what was written stands there, all of it seen");
  assert.equal(await page.$("main script, main img, main iframe"), null);
  await page.click("#verify");
  await page.waitForSelector("#verdict[data-good=true]");
  assert.match(await text(page, "#verdict"), /^Proven: the record is the one to which the leaf commits, the leaf leads to the root, and the journal's key has signed/);
  const read = JSON.parse(await text(page, "#read pre"));
  assert.equal(read.record.exchange.case_reference, shown);
  await page.screenshot({ path: `${given.pictures}/entry-verified.png`, fullPage: true });

  const changed = async (change) => {
    await page.reload();
    await page.evaluate(change);
    await page.click("#verify");
    await page.waitForSelector("#verdict[data-good=false]");
    return text(page, "#verdict");
  };
  assert.match(await changed(() => {
    const { dataset } = document.getElementById("proof");
    dataset.leaf = dataset.leaf.replace(/.$/, (digit) => (digit === "0" ? "1" : "0"));
  }), /^NOT proven: the leaf/);
  assert.match(await changed(() => {
    const { dataset } = document.getElementById("proof");
    const lines = dataset.note.split("\n");
    const own = lines.findIndex((line) => line.startsWith(`\u2014 ${dataset.key.split("+")[0]} `));
    dataset.note = lines.map((line, place) => place < 3 || place === own ? line : "").join("\n")
      .replace(/(....)(=*)\n*$/, (_, tail, fill) => `${tail === "AAAA" ? "BBBB" : "AAAA"}${fill}\n`);
  }), /^NOT proven: the signature/);

  // What the page says is held against the record that is proven, and the record against its leaf.
  const shows = (name, value) => changed(`document.querySelector('[data-told="${name}"]').textContent = "${value}"`);
  for (const [name, value] of [["officer", "somebody else"], ["who", "market/permits \u2192 civil"], ["what", "count civil.v1.Resident"],
    ["case_reference", ""], ["purpose", "arrears"], ["agreement", "CIV-TAX-2027-01"], ["time", "2026-01-01 00:00:00"]]) {
    assert.equal(await shows(name, value), `NOT proven: this page says otherwise than the record that is proven, of: ${name}`);
  }
  assert.match(await changed(() => document.querySelector('[data-told="field"]').remove()), /^NOT proven: this page says otherwise .*: field/);
  assert.match(await changed(() => {
    const whole = document.getElementById("whole");
    whole.textContent = whole.textContent.replace('"assessment"', '"audit"');
  }), /^NOT proven: this page says otherwise .*: system$/);
  assert.match(await changed(() => {
    const { dataset } = document.getElementById("proof");
    // "tax" becomes "tay", in the record's own bytes.
    dataset.record = dataset.record.replace("746178", "746179");
  }), /^NOT proven: the record is not the one/);
  assert.match(await changed(() => Object.defineProperty(crypto, "subtle", { value: undefined })), /^NOT checked: browsers compute hashes only/);
}

async function flows(page) {
  await page.goto(`${CONSOLE}/flow`);
  await look(page, "flow");
  assert.match(await text(page, ".bridge title"), /^civil → tax: 111 answered, 0 refused, 0 failed, \d+ records; 12 ended by the asker$/);
  assert.match(await text(page, ".figures tbody th"), /^civil$/);
  assert.equal((await page.$$(".plots .curve")).length, 3);
  const paper = await page.pdf({ path: `${given.pictures}/flow.pdf`, preferCSSPageSize: true });
  assert.ok(paper.length > 10_000);
  await Promise.all([page.waitForNavigation(), page.$eval(".flow a", (link) => link.dispatchEvent(new MouseEvent("click", { bubbles: true })))]);
  assert.equal(await page.$eval("#provider", (select) => select.value), "civil");
  assert.equal((await page.$$("tbody tr")).length, 100);
}

async function asksForSubjects(page) {
  await page.goto(`${CONSOLE}/subjects`);
  await page.select("#scheme", "national_id");
  await page.type("#identifier", "990101199001019999");
  await Promise.all([page.waitForNavigation(), page.click(".search button")]);
  assert.equal(page.url(), `${CONSOLE}/subjects`);
  assert.match(await text(page, "main"), /Nothing fits\./);
  await look(page, "subjects");
}

async function warns(page) {
  await page.goto(`${CONSOLE}/alarms`);
  await look(page, "alarms");
  assert.equal(await text(page, "tbody th"), "Refusals in a row: 12");
  await Promise.all([page.waitForNavigation(), page.click("tbody a")]);
  assert.equal(await page.$eval("#outcome", (select) => select.value), "denied");
  assert.equal((await page.$$("tbody tr")).length, 12);
}

async function explains(page) {
  await page.goto(`${CONSOLE}/explain`);
  await page.select("#department", "tax");
  await page.type("#system", "assessment");
  await page.select("#record_type", "civil.v1.Resident");
  await page.type("#purpose", "tax-assessment");
  await Promise.all([page.waitForNavigation(), page.click(".search button")]);
  assert.equal(await text(page, "main h2"), "permitted");
  await look(page, "explain-permitted");
  await page.type("#fields", "phone");
  await Promise.all([page.waitForNavigation(), page.click(".search button")]);
  assert.equal(await text(page, "main h2"), "denied: FIELD_NOT_GRANTED");
  await look(page, "explain-denied");
}

async function looksAround(page) {
  for (const name of ["policy", "peers", "export"]) {
    await page.goto(`${CONSOLE}/${name}`);
    await look(page, name);
  }
  await page.goto(`${CONSOLE}/policy`);
  await Promise.all([page.waitForNavigation(), page.click("a[href^='/console/policy/changes/']")]);
  assert.equal(await text(page, ".difference ins"), "+ daily       = 40000\n");
  await look(page, "policy-changes");
  await page.goto(`${CONSOLE}/exchanges`);
  await page.select("#record_type", "civil.v1.Resident");
  await page.waitForFunction(() => location.search.includes("record_type=civil.v1.Resident"));
  await page.select("#outcome", "answered");
  await page.waitForFunction(() => location.search.includes("outcome=answered"));
  await Promise.all([page.waitForNavigation(), page.click("tbody th a")]);
  await Promise.all([page.waitForNavigation(), page.click("a[href^='/console/policy/texts/']")]);
  assert.match(await text(page, "pre"), /daily       = 50000/);
  await look(page, "policy-text");
}

async function proposes(page) {
  await page.goto(`${CONSOLE}/propose?file=CIV-TAX-2026-01`);
  await look(page, "propose");
  await page.$eval("#text", (area) => (area.value = area.value.replace('"tax-assessment"', '"refunds"')));
  await Promise.all([page.waitForNavigation(), page.click("form[method=post] button:not(.quiet)")]);
  assert.equal(await text(page, "main h2"), "It would be accepted");
  assert.match(await text(page, "main"), /refusedtax\/assessmentget civil\.v1\.Residenttax-assessment111/);
  await look(page, "propose-rehearsed");
  await page.$eval("#text", (area) => (area.value = area.value.replace("200/s", "many")));
  await Promise.all([page.waitForNavigation(), page.click("form[method=post] button:not(.quiet)")]);
  assert.match(await text(page, ".faults"), /CIV-TAX-2026-01\.toml:22/);
  await look(page, "propose-refused");
}

async function asAuditor(page) {
  assert.deepEqual(await menu(page), ["Overview", "Exchange log", "Subject ledger", "Alarms", "Export", "Flow and performance", "Peers and witnesses", "Agreements", "Policy in time", "Explain"]);
  await look(page, "overview");
  await searches(page);
  await proves(page);
  await asksForSubjects(page);
  await warns(page);
  await flows(page);
  await brushes(page);
  await looksAround(page);
  await page.goto(`${CONSOLE}/agreements`);
  await look(page, "agreements");
  assert.match(await text(page, "article .grant p"), / may /);
  assert.match(await text(page, "#guardrails"), /hours\.cedar/);

  await Promise.all([page.waitForNavigation(), page.click("button[lang='zh-CN']")]);
  assert.equal(await page.$eval("html", (html) => html.lang), "zh-CN");
  assert.equal(page.url(), `${CONSOLE}/agreements`);
  await look(page, "agreements-zh");
  await page.goto(`${CONSOLE}/exchanges`);
  await look(page, "exchanges-zh");
  await page.goto(`${CONSOLE}/policy`);
  await look(page, "policy-zh");
  await Promise.all([page.waitForNavigation(), page.click("button[lang='en']")]);

  await Promise.all([page.waitForNavigation(), page.click("form[action='/console/sign-out'] button")]);
  assert.equal(page.url(), `${CONSOLE}/sign-in`);
  await page.goto(`${CONSOLE}/exchanges`);
  assert.equal(page.url(), `${CONSOLE}/sign-in`);
}

async function weighs(page) {
  const session = await page.createCDPSession();
  await session.send("Network.enable");
  await session.send("Network.setCacheDisabled", { cacheDisabled: true });
  let bytes = 0;
  session.on("Network.loadingFinished", ({ encodedDataLength }) => (bytes += encodedDataLength));
  await page.goto(`${CONSOLE}/exchanges`, { waitUntil: "networkidle0" });
  assert.equal((await page.$$("tbody tr")).length, 100);
  assert.ok(bytes > 0 && bytes < MAX_BYTES, `${bytes} bytes`);
  console.log(`a page of 100 rows with all that belongs to it: ${bytes} bytes`);
}

const browser = await puppeteer.launch({ executablePath: "/usr/bin/chromium", args: ["--no-sandbox", "--disable-gpu"] });
try {
  await mkdir(given.pictures, { recursive: true });
  const complaints = [];
  let page = await open(browser, complaints);
  await page.goto(`${CONSOLE}/sign-in`);
  await look(page, "sign-in");
  await signIn(page, { ...given.accounts.auditor, password: "wrong" });
  assert.equal(await text(page, "[role=alert]"), "The name, the password or the code is not right.");
  // Chromium tells of every answer that is no 2xx.
  assert.equal(complaints.length, 1);
  complaints.length = 0;

  await signIn(page, given.accounts.auditor);
  await weighs(page);
  await page.goto(CONSOLE);
  await asAuditor(page);
  assert.deepEqual(complaints, []);

  for (const role of ["viewer", "administrator"]) {
    page = await open(browser, complaints);
    await signIn(page, given.accounts[role]);
    const own = role === "administrator" ? ["Propose a change"] : [];
    assert.deepEqual(await menu(page), ["Overview", "Flow and performance", "Peers and witnesses", "Agreements", "Policy in time", "Explain", ...own]);
    assert.deepEqual(complaints, []);
    for (const name of ["", "flow", "peers", "agreements", "policy"]) {
      await page.goto(`${CONSOLE}/${name}`);
      await look(page, `${role}-${name || "overview"}`);
    }
    if (role === "administrator") await proposes(page);
    assert.deepEqual(complaints, []);
    await explains(page);
    assert.deepEqual(complaints, []);
    const answer = await page.goto(`${CONSOLE}/exchanges`);
    assert.equal(answer.status(), 403);
    await look(page, `forbidden-${role}`);
    complaints.length = 0;
  }
} finally {
  await browser.close();
}
