// Looks at pages one by one: given { signIn?: { url, token }, colors?, locale?, pages: [{ name, url, post? }] }.
// A page with `post` is sent that form's field first, as a marketplace sends its buyers.

import { run } from "./session.mjs";

await run(async (session, { signIn, colors, locale, pages }) => {
  const page = await session.page(locale, colors);
  if (signIn) {
    await session.step("sign in", async () => {
      await page.goto(signIn.url);
      await page.getByLabel("Your operator token").fill(signIn.token);
      await page.keyboard.press("Enter");
      await page.getByRole("heading", { name: "Overview" }).waitFor({ state: "attached" });
    });
  }
  const headings = [];
  for (const { name, url, post } of pages) {
    await session.step(`open ${name}`, () => (post ? send(page, url, post) : page.goto(url)));
    headings.push(await page.getByRole("heading", { level: 1 }).first().innerText());
    await session.look(page, name);
  }
  return headings;
});

async function send(page, url, [field, value]) {
  await page.setContent(`<form method="post" action="${url}"><input name="${field}"><button>Go</button></form>`);
  await page.getByRole("textbox").fill(value);
  await page.getByRole("button").click();
  await page.waitForURL((now) => now.href !== "about:blank");
}
