// What every script shares: reading what is given, a browser at two widths, steps with screenshots and findings,
// and the report at the end.

import { createRequire } from "node:module";
import { readFileSync } from "node:fs";
import { join } from "node:path";

const WIDTHS = { desktop: { width: 1280, height: 900 }, phone: { width: 390, height: 844 } };
const GRAVE = new Set(["serious", "critical"]);
const PATIENCE = 15_000;

// Runs a script: `walk` gets a session and what is given, and what it returns is the report's data.
export async function run(walk) {
  const input = JSON.parse(readFileSync(0, "utf8"));
  const require = createRequire(join(input.modules, "package.json"));
  const { chromium } = require("playwright-core");
  const axe = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");
  const session = new Session(input, axe);
  let error = null;
  let data = null;
  const browser = await chromium.launch({
    executablePath: input.chromium,
    // Root has no sandbox to start, as in a container.
    chromiumSandbox: process.getuid() !== 0,
    args: ["--disable-dev-shm-usage", "--no-proxy-server", ...(input.given.browser_args ?? [])],
  });
  try {
    session.browser = browser;
    data = await walk(session, input.given);
  } catch (thrown) {
    error = `${session.doing}: ${thrown.message ?? thrown}`;
    await session.lastLook();
  } finally {
    await browser.close();
  }
  process.stdout.write(JSON.stringify({ steps: session.steps, error, data }));
}

class Session {
  constructor(input, axe) {
    this.screenshots = input.screenshots;
    this.helper = input.given.helper;
    this.axe = axe;
    this.steps = [];
    this.doing = "start";
    this.pages = [];
  }

  // A page of its own, without what other pages remember; it speaks the given language, in light or dark.
  async page(locale = "en", colorScheme = "light") {
    const context = await this.browser.newContext({ locale, colorScheme, viewport: WIDTHS.desktop });
    context.setDefaultTimeout(PATIENCE);
    context.setDefaultNavigationTimeout(PATIENCE);
    const page = await context.newPage();
    this.pages.push(page);
    return page;
  }

  // Something that is done; a failure in it names it.
  async step(name, act) {
    this.doing = name;
    const given = await act();
    this.steps.push({ name, screenshot: null, violations: [] });
    return given;
  }

  // Looks at a page as it is: a screenshot and axe-core's findings at each width.
  async look(page, name) {
    this.doing = `look at ${name}`;
    for (const [width, viewport] of Object.entries(WIDTHS)) {
      await page.setViewportSize(viewport);
      const violations = await this.findings(page);
      const tooWide = await overflow(page);
      if (tooWide > 0) {
        violations.push({
          id: "horizontal-scroll", impact: "serious", help: `The page is ${tooWide} px wider than the screen`,
          elements: ["html"],
        });
      }
      this.steps.push({ name: `${name} (${width})`, screenshot: await this.shoot(page, name, width), violations });
    }
    await page.setViewportSize(WIDTHS.desktop);
  }

  async shoot(page, name, width) {
    const number = String(this.steps.length + 1).padStart(2, "0");
    const file = `${number}-${name.toLowerCase().replaceAll(/[^a-z0-9]+/g, "-")}-${width}.png`;
    await page.screenshot({ path: join(this.screenshots, file), fullPage: true });
    return file;
  }

  // The browser's own console runs it, so that a page's content policy does not stand in the way.
  async findings(page) {
    await page.evaluate(this.axe);
    const found = await page.evaluate(async () => {
      const { violations } = await globalThis.axe.run(document, { resultTypes: ["violations"] });
      return violations.map(({ id, impact, help, nodes }) => {
        return { id, impact, help, elements: nodes.map((node) => node.target.flat().join(" ")) };
      });
    });
    return found.filter((violation) => GRAVE.has(violation.impact));
  }

  // Asks the test to do something that no page does, such as to move the clock; gives what it answers.
  async ask(name, body = {}) {
    const answer = await fetch(`${this.helper}/${name}`, {
      method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body),
    });
    const text = await answer.text();
    if (!answer.ok) throw new Error(`the test answers ${answer.status} to "${name}": ${text}`);
    return text === "" ? null : JSON.parse(text);
  }

  // What was on the screen when it went wrong.
  async lastLook() {
    for (const page of this.pages) {
      try {
        const screenshot = await this.shoot(page, "went wrong", "desktop");
        const text = (await page.locator("body").innerText({ timeout: 2_000 })).slice(0, 2_000);
        this.steps.push({ name: `went wrong at ${page.url()}: ${text}`, screenshot, violations: [] });
      } catch {
        // A page that is gone shows nothing, and the error is told in any case.
      }
    }
  }
}

async function overflow(page) {
  return page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
}
