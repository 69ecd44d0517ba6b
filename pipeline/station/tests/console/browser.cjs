// What a person does at the console, in a real Chromium. One JSON document as argument; each line on stdout is an answer,
// each line on stdin says that what was asked for is done.
const { chromium } = require("playwright-core");
const readline = require("node:readline");

const { base, password, chrome, tabs } = JSON.parse(process.argv[2]);
const said = readline.createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const tell = (what) => console.log(JSON.stringify(what));
const ask = async (what) => { tell(what); await said.next(); };

(async () => {
  const browser = await chromium.launch({ executablePath: chrome, args: ["--no-sandbox", "--disable-gpu"] });
  const complaints = [];
  const watch = (page) => {
    page.on("console", (message) => { if (message.type() === "error") complaints.push(message.text()); });
    page.on("pageerror", (error) => complaints.push(error.message));
    return page;
  };
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 } });
  const page = watch(await context.newPage());

  // First login: the one-time password opens nothing but the choice of another.
  await page.goto(`${base}/parts`);
  const sent_to_login = page.url().includes("/login");
  await page.fill("[name=name]", "admin");
  await page.fill("[name=password]", password);
  await page.click("main button");
  await page.waitForURL("**/password");
  const own = "a password of my own";
  await page.fill("[name=old]", password);
  await page.fill("[name=new]", own);
  await page.fill("[name=again]", own);
  await page.click("main button");
  await page.waitForURL(`${base}/`);
  tell({ step: "login", sent_to_login });

  // Live under a running line.
  await page.waitForFunction(() => document.getElementById("live").dataset.shownPart);
  const shown = () => Number(document.getElementById("live").dataset.shownPart);
  const first = await page.evaluate(shown);
  await page.waitForFunction((first) => Number(document.getElementById("live").dataset.shownPart) > first + 5, first);
  const live = await page.evaluate(() => ({
    word: document.getElementById("tile-word").textContent,
    tile: document.getElementById("tile").className,
    stale: !document.getElementById("stale").hidden,
    age_ms: Number(document.getElementById("live").dataset.shownAgeMs),
    paint_ms: performance.getEntriesByName("first-contentful-paint")[0]?.startTime,
    last: document.querySelectorAll("#last li").length,
    drawn: document.getElementById("picture").width,
  }));
  tell({ step: "live", ...live });

  // The camera is cut: within two of the picture's periods, and a moment for the message, it looks stale.
  const period_ms = 250;
  await page.evaluate(() => {
    window.staleAt = null;
    new MutationObserver(() => { window.staleAt ??= performance.now(); })
      .observe(document.getElementById("stale"), { attributes: true, attributeFilter: ["hidden"] });
  });
  await ask({ step: "cut the camera" });
  const from = await page.evaluate(() => performance.now());
  await page.waitForFunction(() => document.getElementById("live").classList.contains("old"), null, { timeout: 10000 });
  const cut = await page.evaluate(() => ({ stale: document.getElementById("stale").textContent, at: window.staleAt }));
  tell({ step: "cut", stale: cut.stale, after_ms: cut.at - from, period_ms });
  await page.waitForFunction(() => document.getElementById("tile").className.includes("missed"), null, { timeout: 10000 });
  const grey = await page.evaluate(() => getComputedStyle(document.getElementById("picture")).filter);
  tell({ step: "missed", grey });
  await ask({ step: "mend the camera" });
  await page.waitForFunction(() => !document.getElementById("live").classList.contains("old"), null, { timeout: 20000 });
  tell({ step: "mended" });

  // Many tabs, each of them live.
  const others = [];
  for (let n = 0; n < tabs; n++) {
    const other = watch(await context.newPage());
    await other.goto(`${base}/`);
    others.push(other);
  }
  for (const other of others) {
    await other.waitForFunction(() => Number(document.getElementById("live").dataset.shownPart) > 0, null, { timeout: 60000 });
  }
  tell({ step: "tabs", live: others.length });
  await ask({ step: "count the parts" });
  for (const other of others) await other.close();

  // A part, from the list to its page.
  await page.goto(`${base}/parts?verdict=pass`);
  await page.click("tbody a");
  await page.waitForURL("**/parts/*");
  const part = await page.evaluate(() => ({ heading: document.querySelector("h1").textContent, bars: document.querySelectorAll(".waterfall .bar").length }));
  tell({ step: "part", ...part });

  // The socket is cut for good: at once, and not only when the picture would have been too old.
  await page.goto(`${base}/`);
  await page.waitForFunction(() => Number(document.getElementById("live").dataset.shownPart) > 0);
  await ask({ step: "stop the station" });
  await page.waitForFunction(() => document.getElementById("live").classList.contains("cut") && document.getElementById("stale").textContent, null, { timeout: 10000 });
  const lost = await page.evaluate(() => document.getElementById("stale").textContent);
  tell({ step: "lost", stale: lost });
  await browser.close();
  // A browser complains of the sockets that the station closed; that is its right.
  tell({ step: "end", complaints: complaints.filter((text) => !/WebSocket|ERR_CONNECTION|Failed to load resource/.test(text)) });
  process.exit(0); // it would go on listening
})().catch((error) => { tell({ step: "failed", says: String(error) }); process.exit(1); });
