// Opens a browser and never comes to an end.

import { run } from "./session.mjs";

await run(async (session, { url }) => {
  const page = await session.page();
  await page.goto(url);
  await new Promise(() => setInterval(() => {}, 1_000));
});
