// What two people do with a threshold, and one with a queue of parts, in a real Chromium. One JSON document as argument; each
// line on stdout is an answer.
const { chromium } = require("playwright-core");

const { base, password, chrome, shots } = JSON.parse(process.argv[2]);
const tell = (what) => console.log(JSON.stringify(what));

(async () => {
  const browser = await chromium.launch({ executablePath: chrome, args: ["--no-sandbox", "--disable-gpu"] });
  const complaints = [];
  const person = async () => {
    const context = await browser.newContext({ viewport: { width: 1280, height: 800 } });
    const page = await context.newPage();
    page.on("console", (message) => { if (message.type() === "error") complaints.push(message.text()); });
    page.on("pageerror", (error) => complaints.push(error.message));
    return page;
  };
  const shot = async (page, name) => { if (shots) await page.screenshot({ path: `${shots}/${name}.png`, fullPage: true }); };
  const login = async (page, name, once, own) => {
    await page.goto(`${base}/login`);
    await page.fill("[name=name]", name);
    await page.fill("[name=password]", once);
    await page.click("main button");
    await page.waitForURL("**/password");
    await page.fill("[name=old]", once);
    await page.fill("[name=new]", own);
    await page.fill("[name=again]", own);
    await page.click("main button");
    await page.waitForURL(`${base}/`);
  };

  // Two people: the first makes the second an account.
  const boss = await person();
  await login(boss, "admin", password, "a password of my own");
  await boss.goto(`${base}/people`);
  const add = boss.locator("form[hx-post='/people/add']");
  await add.locator("[name=name]").fill("ann");
  await add.locator("[name=role]").selectOption("quality");
  await add.locator("[name=reason]").fill("answers for what is judged");
  await add.locator("button").click();
  const once = await boss.waitForFunction(() => document.querySelector('.notice.good code')?.textContent.trim());
  const ann = await person();
  await login(ann, "ann", await once.jsonValue(), "another one of mine");
  tell({ step: "two people" });

  // Twenty parts by keyboard: every third is bad, by its class; one is unsure; one word is taken back.
  await ann.goto(`${base}/review`);
  const shown = () => ann.waitForFunction(() => document.getElementById("review").dataset.shown);
  await shown();
  await shot(ann, "review");
  const progress = () => ann.textContent("#progress");
  const press = async (key) => {
    const part = await ann.evaluate(() => document.getElementById("part").textContent);
    await ann.waitForFunction((part) => part.split(" ")[1] === document.getElementById("review").dataset.shown, part);
    await ann.keyboard.press(key);
    await ann.waitForFunction((part) => document.getElementById("part").textContent !== part || !document.getElementById("done").hidden, part);
  };
  const begun = Date.now();
  for (let n = 0; n < 20; n++) await press(n === 7 ? "u" : n % 3 ? "g" : "1");
  const took_ms = Date.now() - begun;
  const after = await progress();
  await ann.keyboard.press("z");
  await ann.waitForFunction((after) => document.getElementById("progress").textContent !== after, after);
  const undone = await progress();
  await ann.keyboard.press("h");
  const marked = await ann.textContent("#marked");
  tell({ step: "review", after, undone, marked, took_ms });

  // A threshold under the hand: the counts of the page are those of the station.
  await ann.goto(`${base}/tune`);
  await ann.click("tbody a.button");
  await ann.waitForSelector("#tuning[data-ready=yes]");
  const read = () => ann.evaluate(() => ({ value: document.getElementById("value").value, escapes: document.getElementById("escapes").textContent, rejects: document.getElementById("rejects").textContent }));
  const now = await read();
  await ann.keyboard.press("]");
  await ann.waitForFunction((value) => document.getElementById("value").value !== value, now.value);
  const flipped = await read();
  await ann.fill("#value", "0.95");
  await ann.waitForFunction(() => document.getElementById("proposed").value === "0.95");
  const chosen = await read();
  await ann.waitForFunction(() => document.querySelectorAll("#flips li").length > 0);
  await ann.locator("#tuning h2").first().click();
  await shot(ann, "tune");
  await ann.keyboard.press("p");
  await ann.keyboard.type("good bottles are rejected");
  await ann.keyboard.press("Enter");
  await ann.waitForSelector("#proposals .proposal-open");
  const own_button = await ann.locator("#proposals button").allTextContents();
  tell({ step: "proposed", now, flipped, chosen, own_button });

  // The second person signs; what comes next is judged by it.
  await boss.goto(`${base}/tune`);
  const decide = boss.locator("form.decide");
  await decide.locator("[name=reason]").fill("seen");
  await decide.locator("[name=password]").fill("not my password");
  await decide.locator("button.primary").click();
  await boss.waitForSelector("#proposals .notice.bad");
  const wrong = await boss.textContent("#proposals .notice.bad");
  await boss.locator("form.decide [name=password]").fill("a password of my own");
  await boss.locator("form.decide button.primary").click();
  await boss.waitForSelector("#proposals .proposal-live", { timeout: 30000 });
  const says = await boss.textContent("#proposals .notice.good");
  // The list of rules above says so too.
  await boss.waitForFunction(() => document.getElementById("rules").textContent.includes("0.95"));
  const from_part = Number(await boss.textContent("#proposals .proposal-live dd a"));
  await shot(boss, "live");
  tell({ step: "live", wrong, says, from_part });
  await browser.close();
  // A refused signature is answered 409, of which a browser complains.
  tell({ step: "end", complaints: complaints.filter((text) => !/409|ERR_ABORTED/.test(text)) });
})().catch((error) => { tell({ step: "failed", says: String(error) }); process.exit(1); });
