// A recipe as two people change it on a running line, in a real Chromium: a region drawn, a limit and a rule in fields, a
// problem beside its field, the second person's signature, live from a part on; a file changed by hand; the way back; and the
// models and the calibration that belong to it. One JSON document as argument; each line on stdout is what was seen.
const { chromium } = require("playwright-core");
const fs = require("node:fs");

const { base, password, chrome, shots, file } = JSON.parse(process.argv[2]);
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

  const open = async (page) => {
    await page.goto(`${base}/recipes`);
    await page.click(".recipe-card h2 a");
    await page.waitForSelector("#board[data-ready=yes]");
  };
  const settled = (page) => page.waitForSelector("#change[data-settled=yes]");
  const field = (route) => ann.locator(`[data-route="${route}"] :is(input, select)`).first();
  const enabled = () => ann.isEnabled("#propose button");

  // A region is drawn with the pointer, and moved with the keyboard.
  await open(ann);
  const size = await ann.textContent("#board-says");
  await ann.locator("#region [type=checkbox]").uncheck();
  await settled(ann);
  await ann.locator("#region [data-side='0']").fill("200");
  await ann.locator("#region [data-side='2']").fill("100");
  await ann.locator("#board").scrollIntoViewIfNeeded();
  const board = await ann.locator("#board").boundingBox();
  const px = board.width / 320;
  await ann.mouse.move(board.x + 20 * px, board.y + 30 * px);
  await ann.mouse.down();
  await ann.mouse.move(board.x + 100 * px, board.y + 90 * px, { steps: 5 });
  await ann.mouse.up();
  const rect = () => ann.locator("#region .table").last().locator("[data-side]").evaluateAll((inputs) => inputs.map((input) => Number(input.value)));
  const drawn = await rect();
  await ann.keyboard.press("ArrowRight");
  await ann.keyboard.press("Shift+ArrowDown");
  await ann.keyboard.press("Control+ArrowRight");
  const moved = await rect();
  await settled(ann);
  // It is taken out again, and the first looks at the whole picture again.
  await ann.locator("#region .remove").last().click();
  await ann.locator("#region [type=checkbox]").check();
  await settled(ann);
  const unchanged = { says: await ann.textContent("#change-says"), enabled: await enabled() };
  tell({ step: "drawn", size, drawn, moved, unchanged });

  // What is wrong stands beside its field, everything at once, and cannot be proposed.
  await field("rule.0.score_min").fill("");
  await field("recipe.number").fill("0");
  await settled(ann);
  const beside = (route) => ann.locator(`[data-route="${route}"] > .trouble`).textContent();
  const wrong = { score: await beside("rule.0.score_min"), number: await beside("recipe.number"), enabled: await enabled(), says: await ann.textContent("#change-says") };
  await shot(ann, "recipe-wrong");
  await field("recipe.number").fill("1");
  await field("rule.0.score_min").fill("0.95");
  await settled(ann);
  const lines = await ann.locator("#lines span:not(.diff-same)").allTextContents();
  tell({ step: "fields", wrong, lines, enabled: await enabled() });

  // A second tab saw the same file. The first proposes; another person signs.
  const tab = await ann.context().newPage();
  await open(tab);
  await ann.fill("#propose [name=reason]", "good bottles are rejected");
  await ann.click("#propose button");
  await ann.waitForSelector("#proposals .proposal-open");
  const own_button = await ann.locator("#proposals button").allTextContents();
  await shot(ann, "recipe-proposed");
  await open(boss);
  const seen = await boss.locator("#proposals .diff-new").allTextContents();
  await boss.locator("form.decide [name=reason]").fill("seen");
  await boss.locator("form.decide [name=password]").fill("a password of my own");
  await boss.locator("form.decide button.primary").click();
  await boss.waitForSelector("#proposals .proposal-live", { timeout: 30000 });
  const says = await boss.textContent("#proposals .notice.good");
  const from_part = Number(await boss.textContent("#proposals .proposal-live dd a"));
  await shot(boss, "recipe-live");
  tell({ step: "live", own_button, seen, says, from_part, written: fs.readFileSync(file, "utf8") });

  // The second tab is about a file that is no more, and hears what changed.
  await tab.locator('[data-route="recipe.deadline_ms"] input').fill("1500");
  await tab.waitForSelector("#conflict:not([hidden])");
  const conflict = await tab.textContent("#conflict p");
  const told = await tab.locator("#conflict .diff-new").allTextContents();
  await tab.close();

  // Somebody writes into the file by hand: both pages say so; then the first version is proposed and comes back.
  fs.writeFileSync(file, fs.readFileSync(file, "utf8").replace("# Bottles.", "# Bottles of the supplier."));
  await ann.goto(`${base}/recipes`);
  const differs = await ann.textContent(".recipe-head");
  await shot(ann, "recipes-differs");
  await open(ann);
  const versions = await ann.locator(".recipe-version").count();
  await ann.locator(".recipe-version p button").last().click();
  const back = ann.locator(".recipe-version form");
  await back.locator("[name=reason]").fill("as it was");
  await back.locator("button").click();
  await ann.waitForSelector("#proposals .proposal-open");
  await open(boss);
  await boss.locator("form.decide [name=password]").fill("a password of my own");
  await boss.locator("form.decide button.primary").click();
  await boss.waitForSelector("#proposals .notice.good", { timeout: 30000 });
  tell({ step: "back", conflict, told, differs, versions, written: fs.readFileSync(file, "utf8") });

  // The model: what it is, whether it still finds what it found, and what it is trusted with.
  await ann.goto(`${base}/models`);
  const models = await ann.locator("tbody tr").allTextContents();
  await shot(ann, "models");
  await ann.click("tbody a");
  const facts = await ann.textContent("dl.facts");
  await ann.click("[hx-post$='/verify']");
  await ann.waitForSelector("#verified .notice", { timeout: 60000 });
  const verified = await ann.textContent("#verified");
  await ann.fill("form [name=reason]", "of last year");
  await ann.selectOption("form [name=to]", "retired");
  await ann.locator("form[hx-post$='/state'] button").click();
  await ann.waitForSelector("#state-said .notice");
  const retired = await ann.textContent("#state-said");
  await shot(ann, "model");
  tell({ step: "model", models, facts, verified, retired });

  await browser.close();
  // A conflict is answered 409, of which a browser complains.
  tell({ step: "end", complaints: complaints.filter((text) => !/409|ERR_ABORTED/.test(text)) });
})().catch((error) => { tell({ step: "failed", says: String(error) }); process.exit(1); });
