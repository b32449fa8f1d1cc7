// Signs in at two gateways through tunnels with ports of their own, in one browser, and asks for one by a strange name.
//
//     node tunnels.mjs '[{"port": 9443, "account": {"name", "password", "otpauth"}}, …]'
import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { connect, createServer } from "node:net";
import puppeteer from "puppeteer-core";

const gateways = JSON.parse(process.argv[2]);

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

/** As `ssh -L` forwards: the port that it listens on. */
function tunnel(port) {
  const server = createServer((near) => {
    const far = connect(port, "127.0.0.1");
    near.pipe(far).pipe(near);
    for (const end of [near, far]) end.on("error", () => { near.destroy(); far.destroy(); });
  });
  return new Promise((listening) => server.listen(0, "127.0.0.1", () => listening(server.address().port)));
}

async function signIn(page, origin, { name, password, otpauth }) {
  await page.goto(`${origin}/console/sign-in`);
  await page.type("#name", name);
  await page.type("#password", password);
  await page.type("#code", code(otpauth));
  await Promise.all([page.waitForNavigation(), page.click(".sign-in button")]);
}

const args = ["--no-sandbox", "--disable-gpu", "--host-resolver-rules=MAP evil.example 127.0.0.1"];
const browser = await puppeteer.launch({ executablePath: "/usr/bin/chromium", args });
try {
  const page = await browser.newPage();
  await page.setExtraHTTPHeaders({ "Accept-Language": "en" });
  const origins = [];
  for (const [place, { port, account }] of gateways.entries()) {
    const origin = `http://${["localhost", "127.0.0.1"][place]}:${await tunnel(port)}`;
    await signIn(page, origin, account);
    assert.equal(page.url(), `${origin}/console`);
    origins.push(origin);
  }
  // The second tunnel by the first one's host: there are two sessions in one set of cookies.
  const second = origins[1].replace("127.0.0.1", "localhost");
  await signIn(page, second, gateways[2].account);
  assert.equal(page.url(), `${second}/console`);
  for (const origin of [origins[0], second]) {
    assert.equal((await page.goto(`${origin}/console`)).status(), 200, origin);
    assert.equal(page.url(), `${origin}/console`);
  }
  const names = (await page.cookies(`${second}/console`)).map(({ name }) => name).filter((name) => name.includes("session"));
  assert.equal(new Set(names).size, 2, names.join(" "));

  for (const path of ["/console/sign-in", "/metrics", "/journal/checkpoint"]) {
    const answer = await page.goto(`http://evil.example:${gateways[0].port}${path}`);
    assert.equal(answer.status(), 421, path);
    assert.match(await answer.text(), /operators\.hosts/);
  }
} finally {
  await browser.close();
  process.exit();
}
