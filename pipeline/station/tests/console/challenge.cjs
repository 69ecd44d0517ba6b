// An operator presents known parts, in a real Chromium. One JSON document as argument; each line on stdout is an answer or asks
// for a part to be laid down, each line on stdin says that it came to the gate.
const { chromium } = require("playwright-core");
const readline = require("node:readline");

const { base, password, chrome, shots } = JSON.parse(process.argv[2]);
const said = readline.createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const tell = (what) => console.log(JSON.stringify(what));
const lay = async (part) => { tell({ step: "lay", part }); await said.next(); };

(async () => {
  const browser = await chromium.launch({ executablePath: chrome, args: ["--no-sandbox", "--disable-gpu"] });
  const complaints = [];
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 } });
  const page = await context.newPage();
  page.on("console", (message) => { if (message.type() === "error") complaints.push(message.text()); });
  page.on("pageerror", (error) => complaints.push(error.message));
  const shot = async (name) => { if (shots) await page.screenshot({ path: `${shots}/${name}.png`, fullPage: true }); };
  await page.goto(`${base}/login`);
  await page.fill("[name=name]", "admin");
  await page.fill("[name=password]", password);
  await page.click("main button");
  await page.waitForURL("**/password");
  await page.fill("[name=old]", password);
  await page.fill("[name=new]", "a password of my own");
  await page.fill("[name=again]", "a password of my own");
  await page.click("main button");
  await page.waitForURL(`${base}/`);

  // The state in the head of every page leads there.
  await page.click("#state a");
  await page.waitForURL("**/challenge");
  const word = () => page.textContent(".challenge-word");
  const due = await word();
  const touch_px = await page.evaluate(() => Math.min(...[...document.querySelectorAll("#challenge button")].map((button) => button.getBoundingClientRect().height)));
  await shot("challenge-due");
  tell({ step: "due", word: due, touch_px });

  const next = (name) => page.waitForFunction((name) => document.querySelector(".challenge-next strong")?.textContent === name, name);
  await page.click("#begin");
  await next("golden bottle");
  await shot("challenge-under-way");
  // The PLC hears within a tenth of a second that it may show its parts.
  await page.waitForTimeout(300);
  await lay("good");
  await next("red rabbit, no bottle");
  await lay("good"); // somebody takes the wrong part
  await page.waitForSelector("#challenge .notice.bad");
  const failed = await page.textContent("#challenge .notice.bad strong");
  await shot("challenge-failed");
  tell({ step: "failed_challenge", word: await word(), says: failed });

  await page.click("#begin");
  await next("golden bottle");
  await page.waitForTimeout(300);
  await lay("good");
  await next("red rabbit, no bottle");
  await lay("bad");
  await page.waitForFunction(() => document.querySelector(".challenge-word")?.textContent === "PASSED");
  const right = await page.locator(".known-right").count();
  await page.waitForFunction(() => document.querySelector("#state .state-running"));
  await shot("challenge-passed");
  tell({ step: "passed", right });
  await browser.close();
  tell({ step: "end", complaints: complaints.filter((text) => !/ERR_ABORTED/.test(text)) });
  process.exit(0); // it would go on listening
})().catch((error) => { tell({ step: "failed", says: String(error) }); process.exit(1); });
