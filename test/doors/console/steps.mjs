// Uses the console as a person would, and tells of each step on a line of its own: {"step", "failure"}. {"do"} asks the other side to do something.
import { createInterface } from 'node:readline';
import { chromium } from 'playwright-core';

const url = process.env.CONSOLE_URL;
const pictures = process.env.PICTURES;
const answers = createInterface({ input: process.stdin })[Symbol.asyncIterator]();

const say = (m) => process.stdout.write(JSON.stringify(m) + '\n');
const please = async (what) => { say({ do: what }); await answers.next(); };

const browser = await chromium.launch({ executablePath: process.env.CHROMIUM, args: ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage'] });
const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, colorScheme: 'light' });
context.setDefaultTimeout(20_000);
const page = await context.newPage();
const complaints = [];
// A request that is refused, as some here are meant to be, is a line in the console of the browser but no mistake of the page.
page.on('console', (m) => { if (m.type() === 'error' && !/the server responded with a status of 4\d\d/.test(m.text())) complaints.push(m.text()); });
page.on('pageerror', (e) => complaints.push(String(e)));

const expect = (is, what) => { if (!is) throw new Error(what); };
const byTest = (name) => page.locator(`[data-test="${name}"]`);
const row = (path) => page.locator(`[data-path="${path}"]`);
const picture = (name) => page.screenshot({ path: `${pictures}/${name}.png` });
const value = (want) => page.waitForFunction((w) => document.querySelector('[data-test="data"]')?.value.includes(w), want);

async function step(name, run) {
  try {
    await run();
    say({ step: name, failure: '' });
  } catch (e) {
    say({ step: name, failure: String(e) });
  }
}

await step('the tree is browsed', async () => {
  await page.goto(url + '/');
  await row('/app').getByRole('button').click();
  await row('/app/config').click();
  await value('"name": "orders"');
  expect(page.url().endsWith('#/tree/app/config'), 'the address is ' + page.url());
  await picture('tree');
});
await step('data is shown as text, JSON and hexadecimal', async () => {
  await byTest('form-hex').click();
  await value('7b 22 6e');
  await byTest('form-text').click();
  await value('{"name"');
  await row('/app/binary').click();
  await value('00 01 ff');
});
await step('nothing can be changed unless that is asked for', async () => {
  await row('/app/config').click();
  await value('orders');
  expect(await byTest('data').getAttribute('readonly') !== null, 'the data can be edited');
  expect(await byTest('save').count() === 0, 'there is a button to save');
});
await step('data is edited', async () => {
  await byTest('writing').check();
  await byTest('data').fill('{"name": "orders", "replicas": 5}');
  await byTest('save').click();
  await byTest('told').getByText('Saved.').waitFor();
  await page.goto(url + '/#/tree/app/config?tab=stat');
  await page.getByRole('row', { name: 'version 1 of the data' }).waitFor();
});
await step('what somebody else changes is seen live', async () => {
  await page.goto(url + '/#/tree/app/config?tab=changes');
  await page.getByText('while this is open').waitFor();
  await page.waitForResponse((r) => r.url().includes('?watch'), { timeout: 2000 }).catch(() => {});
  await please('change');
  await page.getByRole('cell', { name: 'theirs' }).first().waitFor();
  await picture('changes');
});
await step('an access list that somebody else sets is seen live', async () => {
  await please('restrict');
  const told = page.getByRole('row', { name: 'access' });
  await told.getByText('world:anyone:ra').waitFor();
  await told.locator('del').getByText('world:anyone:rwcda').waitFor();
  await page.goto(url + '/#/tree/app/config?tab=acl');
  await page.getByRole('checkbox', { name: 'write' }).waitFor();
  expect(!await page.getByRole('checkbox', { name: 'write' }).isChecked(), 'the list is not that of now');
  await please('allow');
  await page.waitForFunction(() => document.querySelector('[aria-label="write"]')?.checked);
});
await step('a conflict is told, and both sides are kept', async () => {
  await page.goto(url + '/#/tree/app/config');
  await value('theirs');
  await byTest('data').fill('{"mine": true}');
  await please('change');
  await page.getByText('It has changed meanwhile.').waitFor();
  await byTest('save').click();
  await byTest('told').getByText('Somebody else has changed it').waitFor();
  await picture('conflict');
  await byTest('mine').click();
  await byTest('told').getByText('Saved.').waitFor();
  await value('mine');
});
await step('a znode is created and deleted', async () => {
  await page.goto(url + '/#/tree/app');
  await byTest('create').click();
  await byTest('name').fill('fresh/deep');
  await byTest('create-ok').click();
  await page.waitForURL((u) => u.hash === '#/tree/app/fresh/deep');
  await page.goto(url + '/#/tree/app/fresh');
  await byTest('delete').click();
  await byTest('delete-ok').click();
  await page.getByText('there is something below it', { exact: false }).or(page.locator('dialog .failure')).first().waitFor();
  await byTest('recursive').check();
  await byTest('delete-ok').click();
  await page.waitForURL((u) => u.hash === '#/tree/app');
});
await step('a znode that may not be read says so', async () => {
  await page.goto(url + '/#/tree/secret');
  await page.locator('.node .failure').first().waitFor();
});
await step('sessions and their ephemerals are listed, and one that ends is gone', async () => {
  await page.goto(url + '/#/sessions');
  await page.getByText('/app/workers/one').waitFor();
  await picture('sessions');
  await page.goto(url + '/#/tree/app/workers');
  await row('/app/workers').getByRole('button').click();
  await row('/app/workers/one').waitFor();
  await please('expire');
  await row('/app/workers/one').waitFor({ state: 'detached' });
});
await step('a hundred thousand children are scrolled', async () => {
  await page.goto(url + '/#/tree/wide/n000000');
  await row('/wide/n000000').waitFor();
  const list = page.locator('.rows').first();
  // As a wheel would: no further than what is seen, lest the row be passed.
  for (let i = 0; i < 2000 && await row('/wide/n003000').count() === 0; i++) {
    await list.evaluate((e) => new Promise((seen) => { e.scrollTop += e.clientHeight / 2; requestAnimationFrame(() => requestAnimationFrame(seen)); }));
  }
  await row('/wide/n003000').waitFor();
  const shown = await page.locator('.row').count();
  expect(shown < 200, `${shown} rows are in the page at once`);
});
await step('names are searched for', async () => {
  await page.keyboard.press('Escape');
  await page.locator('[data-search]').fill('n099999');
  await page.keyboard.press('Enter');
  await page.getByText('/wide/n099999').click();
  await page.waitForURL((u) => u.hash === '#/tree/wide/n099999');
  await page.locator('[data-search]').fill('');
});
await step('the tree is walked by keys', async () => {
  await page.goto(url + '/#/tree/app');
  await page.locator('[data-path="/app"][aria-selected="true"]').waitFor();
  await page.locator('.rows').first().focus();
  await page.keyboard.press('ArrowRight');
  await row('/app/binary').waitFor();
  await page.keyboard.press('ArrowDown');
  await page.waitForURL((u) => u.hash === '#/tree/app/binary');
  await page.keyboard.press('ArrowLeft');
  await page.waitForURL((u) => u.hash === '#/tree/app');
  await page.locator('main').click({ position: { x: 900, y: 400 } });
  await page.evaluate(() => (document.activeElement instanceof HTMLElement) && document.activeElement.blur());
  await page.keyboard.press('5');
  await page.waitForURL((u) => u.hash === '#/server');
});
await step('the server is plotted', async () => {
  await page.locator('canvas').nth(2).waitFor();
  await page.getByText('standalone').waitFor();
  await page.waitForTimeout(6500); // for a few points
  await picture('server');
});
await step('it is dark where the system is, or where it is told to be', async () => {
  const paper = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  const light = await paper();
  await page.emulateMedia({ colorScheme: 'dark' });
  await page.waitForFunction((c) => getComputedStyle(document.body).backgroundColor !== c, light);
  const dark = await paper();
  await picture('dark');
  const becomes = (colour) => page.waitForFunction((c) => getComputedStyle(document.body).backgroundColor === c, colour);
  await byTest('theme').click(); // light
  await becomes(light);
  await page.emulateMedia({ colorScheme: 'light' });
  await byTest('theme').click(); // dark
  await becomes(dark);
});
await step('connections and watches are listed', async () => {
  await page.goto(url + '/#/connections');
  await page.getByRole('cell', { name: 'grpc' }).first().waitFor();
  await page.goto(url + '/#/watches');
  await page.getByRole('heading', { name: 'Watches' }).waitFor();
});
await step('the API is tried', async () => {
  await page.goto(url + '/#/api');
  await page.locator('[data-operation="ZnodeService_ListChildren"]').click();
  await page.locator('input[name="path"]').fill('/app');
  await byTest('send').click();
  await byTest('answer').getByRole('heading', { name: '200' }).waitFor();
  await byTest('answer').getByText('"config"').waitFor();
  await picture('api');
});
await step('the browser has nothing to complain of', async () => expect(complaints.length === 0, complaints.join('\n')));
await browser.close();
process.exit(0);
