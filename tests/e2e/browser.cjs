// Open ComfyUI's page, load each workflow file, compare what the page would send, queue it, take pictures.
// usage: node browser.cjs '{"playwright", "chromium", "url", "out", "workflows": {name: path}, "small": {widget: value}}'; prints one JSON line.
const fs = require('fs');
const job = JSON.parse(process.argv[2]);
const { chromium } = require(job.playwright);
const FLAGS = ['--no-sandbox', '--disable-gpu', '--use-gl=angle', '--use-angle=swiftshader',
  '--enable-unsafe-swiftshader', '--disable-dev-shm-usage'];
const complaints = [];

async function open(browser) {
  const page = await browser.newPage({ viewport: { width: 1600, height: 950 } });
  page.on('console', (m) => { if (m.type() === 'error') complaints.push(`${m.text()} @ ${m.location().url}`); });
  page.on('pageerror', (e) => complaints.push(`${e.message}\n${e.stack ?? ''}`));
  await page.goto(job.url, { waitUntil: 'domcontentloaded' });
  await page.waitForFunction(() => window.app?.graph &&
    Object.keys(window.LiteGraph?.registered_node_types ?? {}).filter((n) => n.startsWith('Maquette')).length > 10,
    null, { timeout: 120000 });
  await page.waitForTimeout(3000);
  await page.keyboard.press('Escape');
  await page.waitForTimeout(500);
  return page;
}

async function idle(page, before) {
  for (let i = 0; i < 800; i++) {
    const queue = await (await fetch(`${job.url}/queue`)).json();
    const history = Object.keys(await (await fetch(`${job.url}/history`)).json()).length;
    if (history > before && !queue.queue_running.length && !queue.queue_pending.length) return true;
    await page.waitForTimeout(300);
  }
  return false;
}

async function fit(page) {
  await page.evaluate(() => {
    const nodes = app.graph._nodes; const canvas = app.canvas;
    const left = Math.min(...nodes.map((n) => n.pos[0])), top = Math.min(...nodes.map((n) => n.pos[1] - 40));
    const right = Math.max(...nodes.map((n) => n.pos[0] + n.size[0]));
    const bottom = Math.max(...nodes.map((n) => n.pos[1] + n.size[1]));
    const scale = Math.min(1500 / (right - left + 80), 800 / (bottom - top + 120), 1);
    canvas.ds.scale = scale;
    canvas.ds.offset = [-left + 80 / scale, -top + 90 / scale];
    canvas.setDirty(true, true);
  });
  await page.waitForTimeout(1500);
}

async function one(page, name) {
  const file = JSON.parse(fs.readFileSync(job.workflows[name], 'utf8'));
  await page.evaluate((w) => app.loadGraphData(w), file);
  await page.waitForTimeout(1500);
  const missing = await page.evaluate(() => app.graph._nodes.filter((n) => n.has_errors).map((n) => n.type));
  const overlaps = await page.evaluate(() => {
    const b = app.graph._nodes.map((n) => [n.title, n.pos[0], n.pos[1] - 30, n.size[0], n.size[1] + 30]);
    const hit = (p, q) => p[1] < q[1] + q[3] && q[1] < p[1] + p[3] && p[2] < q[2] + q[4] && q[2] < p[2] + p[4];
    return b.flatMap((p, i) => b.slice(i + 1).filter((q) => hit(p, q)).map((q) => `${p[0]} / ${q[0]}`));
  });
  const sent = await page.evaluate(async () => (await app.graphToPrompt()).output);
  await fit(page);
  await page.screenshot({ path: `${job.out}/${name}-loaded.png` });
  if (job.small) await page.evaluate((small) => {
    for (const n of app.graph._nodes) for (const w of n.widgets ?? []) if (w.name in small) w.value = small[w.name];
  }, job.small);
  const before = Object.keys(await (await fetch(`${job.url}/history`)).json()).length;
  await page.evaluate(() => app.queuePrompt(0, 1));
  const done = await idle(page, before);
  await page.waitForTimeout(job.small ? 2500 : 6000); // software WebGL draws slowly
  const drawn = await page.evaluate(() => [...document.querySelectorAll('canvas')].map((c) => [c.width, c.height]));
  await page.screenshot({ path: `${job.out}/${name}-done.png` });
  await page.evaluate(() => app.graph.clear()); // ends the 3D viewers, which draw without a pause
  return { missing, overlaps, sent, done, drawn };
}

(async () => {
  const browser = await chromium.launch({ executablePath: job.chromium, headless: true, args: FLAGS });
  const results = {};
  try {
    const page = await open(browser);
    for (const name of Object.keys(job.workflows)) results[name] = await one(page, name);
  } finally {
    await browser.close();
  }
  console.log(JSON.stringify({ results, complaints }));
})().catch((e) => { console.error(e); process.exit(1); });
