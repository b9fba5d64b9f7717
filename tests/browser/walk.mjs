// The walk of a buyer and of an operator: subscribe in the shop, set up the account, be active, use the product,
// leave, and be seen in the console until the end.
//
// Given: { shop, console, helper, operatorToken, product, company, contact, email, order }.
// `order` is "message-first" or "redirect-first": whether the marketplace's message comes before the buyer does.
// `helper` is the test's, asked to do what no page does; each answers once it is so.
//
// All is found as people find it, by role and label.

import { run } from "./session.mjs";

const PATIENCE_MS = 60_000;

await run(async (session, given) => {
  const buyer = await session.page();
  const isMessageFirst = given.order === "message-first";

  await session.step("open the shop", () => buyer.goto(given.shop));
  await session.look(buyer, "shop");
  if (!isMessageFirst) await session.ask("hold-messages");
  await session.step("subscribe", () => subscribe(buyer, given));
  await session.look(buyer, "shop with a purchase");
  if (isMessageFirst) await session.step("let the worker hear of it", () => session.ask("await-subscription"));

  await session.step("set up the account", () => setUp(buyer));
  await session.look(buyer, "registration");
  await session.step("be told of mistakes", () => sendNothing(buyer));
  await session.look(buyer, "registration with mistakes");
  await session.step("register", () => register(buyer, given));
  const awaited = isMessageFirst ? "Your account is being prepared" : "Waiting for your subscription";
  await session.step("be told to wait", () => heading(buyer, awaited).waitFor());
  await session.look(buyer, "registration that waits");

  await buyer.evaluate(() => { globalThis.seenBefore = true; });
  await session.step("name the tenant", () => session.ask("name-tenant"));
  if (!isMessageFirst) await session.step("let the messages go", () => session.ask("let-messages-go"));
  await session.step("see it become active without a reload", () => becomeActive(buyer));
  await session.look(buyer, "registration done");
  const used = await session.step("use the product by API", () => session.ask("use-product"));

  const operator = await session.page();
  await session.step("open the console", () => operator.goto(given.console));
  await session.look(operator, "sign-in");
  await session.step("sign in", () => signIn(operator, given));
  await session.look(operator, "overview");

  await session.step("unsubscribe", () => unsubscribe(buyer, given));
  await session.look(buyer, "shop with a purchase that ends");
  const left = await session.step("see the window count down", () => countDown(operator));
  await session.look(operator, "overview with a window");
  await session.step("open the subscription", () => openSubscription(operator));
  await session.look(operator, "subscription that ends");

  const billed = await session.step("report final usage", () => session.ask("final-usage"));
  await session.step("let the window end", () => session.ask("end-window"));
  await session.step("see it ended", () => seeEnded(operator));
  await session.look(operator, "subscription that has ended");
  await session.step("see what is billed", () => seeBill(buyer, given));
  await session.look(buyer, "shop with a bill");
  return { used, left, billed };
});

function heading(page, name) {
  return page.getByRole("heading", { name, level: 1 });
}

async function subscribe(page, { product }) {
  await page.getByRole("button", { name: `Subscribe to ${product}`, exact: true }).click();
  await page.getByRole("button", { name: "Set up your account" }).waitFor();
}

async function setUp(page) {
  await page.getByRole("button", { name: "Set up your account" }).click();
  await page.getByRole("textbox", { name: "Company" }).waitFor();
}

async function sendNothing(page) {
  await page.getByRole("button", { name: "Set up" }).click();
  await page.getByRole("alert").waitFor();
}

async function register(page, { company, contact, email }) {
  await page.getByRole("textbox", { name: "Company" }).fill(company);
  await page.getByRole("textbox", { name: "Your name" }).fill(contact);
  // As somebody does who uses no mouse.
  await page.getByRole("textbox", { name: "E-mail" }).fill(email);
  await page.keyboard.press("Enter");
}

// A mark in the page's own memory is gone where the page was loaded again.
async function becomeActive(page) {
  await heading(page, "You are all set").waitFor({ timeout: PATIENCE_MS });
  if (!(await page.evaluate(() => globalThis.seenBefore === true))) throw new Error("the page was loaded again");
}

async function signIn(page, { operatorToken }) {
  await page.getByLabel("Your operator token").fill(operatorToken);
  await page.keyboard.press("Enter");
  await page.getByRole("region", { name: "Final-usage windows" }).waitFor();
}

async function unsubscribe(page, { shop, product }) {
  await page.goto(shop);
  await page.getByRole("button", { name: "Unsubscribe" }).click();
  await page.getByRole("article").filter({ hasText: product }).getByText("last records until").waitFor();
}

// The time that is left, read until it has run; it comes once the worker knows that the buyer leaves.
async function countDown(page) {
  const clock = page.getByRole("region", { name: "Final-usage windows" }).getByText(/^\d\d:\d\d$/);
  await until("the console shows an open window", async () => {
    await page.reload();
    return (await clock.count()) > 0;
  });
  const first = seconds(await clock.first().innerText());
  await until("the time that is left runs", async () => seconds(await clock.first().innerText()) < first);
  return { first, second: seconds(await clock.first().innerText()) };
}

function seconds(text) {
  const [minutes, rest] = text.split(":").map(Number);
  return minutes * 60 + rest;
}

async function openSubscription(page) {
  const windows = page.getByRole("region", { name: "Final-usage windows" });
  await windows.getByRole("listitem").first().getByRole("link").click();
  await page.getByRole("heading", { name: "Timeline" }).waitFor();
}

async function seeEnded(page) {
  const state = page.getByRole("listitem").filter({ hasText: /state/ }).getByText("ended", { exact: true });
  await until("the console shows that it has ended", async () => {
    await page.reload();
    return (await state.count()) > 0;
  });
}

async function seeBill(page, { shop }) {
  await page.goto(shop);
  await page.getByRole("region", { name: "What you would be billed" }).getByRole("table").first().waitFor();
}

async function until(what, holds) {
  const deadline = performance.now() + PATIENCE_MS;
  while (!(await holds())) {
    if (performance.now() > deadline) throw new Error(`${what}: not so after a minute`);
    await new Promise((resolve) => setTimeout(resolve, 250));
  }
}
