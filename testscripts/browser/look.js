// look drives a real browser over the dashboard: it logs in, reads what is
// shown, and checks that nothing of an app's words became markup, that nothing
// was loaded from elsewhere, and that the policy refused nothing.
//
// Usage: node look.js URL TOKEN APP PICTURES
"use strict";

const { chromium } = require("playwright-core");
const assert = require("node:assert");
const path = require("node:path");

const [url, token, app, pictures] = process.argv.slice(2);
const patience = 60000;

// wrong are complaints of the page: errors, refusals of the policy, requests
// that go elsewhere, and what an injected script would do.
const wrong = [];

function watch(page) {
  page.on("console", (message) => message.type() === "error" && !message.text().includes("401") && wrong.push(message.text()));
  page.on("pageerror", (error) => wrong.push(String(error)));
  page.on("dialog", (dialog) => wrong.push(`dialog: ${dialog.message()}`) && dialog.dismiss());
  page.on("request", (request) => new URL(request.url()).origin === url || wrong.push(`request to ${request.url()}`));
}

async function login(page) {
  await page.goto(url);
  await page.fill("#token", "a wrong token");
  await page.click("button");
  await page.getByText("That is not the token.").waitFor();
  await page.fill("#token", token);
  await page.click("button");
  await page.waitForSelector("#apps tbody tr", { timeout: patience });
  const [cookie] = await page.context().cookies();
  assert.ok(cookie.httpOnly && cookie.sameSite === "Strict" && !cookie.value.includes(token), JSON.stringify(cookie));
}

async function readApps(page) {
  const row = page.locator("#apps tr", { hasText: app });
  await row.getByText("ready").waitFor({ timeout: patience });
  assert.match(await page.textContent("#totals"), /Processes1 of 6/);
  await page.fill("#filter", "no such app");
  await page.getByText("No app has such a name.").waitFor();
  await page.fill("#filter", "");
  const before = await page.textContent("#live");
  await page.waitForFunction((text) => document.getElementById("live").textContent !== text, before, { timeout: patience });
}

async function readDetail(page) {
  await page.click(`#apps a:text-is("${app}")`);
  await page.locator("#detail").getByText("Requests in flight").waitFor({ timeout: patience });
  await page.locator("#detail").getByText("/<img/src=x/onerror=alert(1)>").waitFor({ timeout: patience });
  await page.locator("#detail").getByText("<script>alert(2)</script>").first().waitFor({ timeout: patience });
  const detail = await page.textContent("#detail");
  assert.ok(!detail.includes("secret="), "a query string is shown");
  assert.match(detail, /rolled-back|failed/);
  await page.waitForSelector("#detail svg.memory polyline", { state: "attached", timeout: patience });
  assert.equal(await page.locator("main img, main script, main iframe").count(), 0);
}

async function picture(page, name) {
  for (const scheme of ["light", "dark"]) {
    await page.emulateMedia({ colorScheme: scheme });
    for (const width of [360, 1280]) {
      await page.setViewportSize({ width, height: 800 });
      const wider = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      assert.ok(wider <= 0, `${name} is ${wider} pixels wider than ${width}`);
      if (pictures) await page.screenshot({ path: path.join(pictures, `${name}-${scheme}-${width}.png`), fullPage: true });
    }
  }
}

async function main() {
  const browser = await chromium.launch({ executablePath: "/usr/bin/chromium", args: ["--no-sandbox", "--disable-dev-shm-usage"] });
  try {
    const page = await browser.newPage();
    page.setDefaultTimeout(patience);
    watch(page);
    await login(page);
    await readApps(page);
    await picture(page, "apps");
    await readDetail(page);
    await picture(page, "detail");
    assert.deepEqual(wrong, []);
  } finally {
    await browser.close();
  }
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
