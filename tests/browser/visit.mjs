// Visits one page and looks at it: given { url, heading? }; gives its title and text.

import { run } from "./session.mjs";

await run(async (session, { url, heading }) => {
  const page = await session.page();
  await session.step("open the page", async () => {
    await page.goto(url);
    if (heading) await page.getByRole("heading", { name: heading }).waitFor();
  });
  await session.look(page, "the page");
  return { title: await page.title(), text: await page.locator("body").innerText() };
});
