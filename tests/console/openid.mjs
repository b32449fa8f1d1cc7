// Signs in at an identity provider as several people would, in Debian's Chromium.
//
//     node openid.mjs '{"origin": "http://127.0.0.1:9443", "pictures": "…"}'
import assert from "node:assert/strict";
import { mkdir } from "node:fs/promises";
import puppeteer from "puppeteer-core";

const given = JSON.parse(process.argv[2]);
const CONSOLE = `${given.origin}/console`;

/** Where somebody stands who has signed in at the provider, and agreed. */
async function signIn(browser, name) {
  const page = await (await browser.createBrowserContext()).newPage();
  await page.setExtraHTTPHeaders({ "Accept-Language": "en" });
  await page.goto(`${CONSOLE}/sign-in`);
  await Promise.all([page.waitForNavigation(), page.click("a[href='/console/sign-in/openid']")]);
  await page.type("input[name=login]", name);
  await page.type("input[name=password]", "any");
  await Promise.all([page.waitForNavigation(), page.click("button[type=submit]")]);
  await Promise.all([page.waitForNavigation(), page.click("button[type=submit]")]);
  await page.waitForFunction(() => document.querySelector("[role=alert], nav[aria-label]"));
  return page;
}

const browser = await puppeteer.launch({ executablePath: "/usr/bin/chromium", args: ["--no-sandbox", "--disable-gpu"] });
try {
  await mkdir(given.pictures, { recursive: true });
  const auditor = await signIn(browser, "lin.audit");
  assert.equal(auditor.url(), CONSOLE);
  assert.match(await auditor.$eval(".who", (who) => who.textContent), /lin\.audit · auditor/);
  assert.equal((await auditor.goto(`${CONSOLE}/exchanges`)).status(), 200);
  await Promise.all([auditor.waitForNavigation(), auditor.click("form[action='/console/sign-out'] button")]);
  assert.equal(auditor.url(), `${CONSOLE}/sign-in`);
  await auditor.screenshot({ path: `${given.pictures}/sign-in-openid.png`, fullPage: true });

  const administrator = await signIn(browser, "wei.admin");
  assert.match(await administrator.$eval(".who", (who) => who.textContent), /wei\.admin · administrator/);

  // Without a role, with two that one person must not have, and with a local account's name.
  for (const name of ["guest", "both", "lin.auditor"]) {
    const page = await signIn(browser, name);
    assert.match(await page.$eval("[role=alert]", (alert) => alert.textContent), /has no role for you here/, name);
    assert.match((await page.goto(CONSOLE)).url(), /sign-in$/, name);
  }
} finally {
  await browser.close();
}
