// Open a batch's index.html from the disk, as a double click does; try its filter, its search and its 3D viewer.
// usage: node page.cjs '{"playwright", "chromium", "page", "out", "item"}'; prints one JSON line.
const job = JSON.parse(process.argv[2]);
const { chromium } = require(job.playwright);
const FLAGS = ['--no-sandbox', '--disable-gpu', '--use-gl=angle', '--use-angle=swiftshader',
  '--enable-unsafe-swiftshader', '--disable-dev-shm-usage'];

// How many different colours, and a number that changes with the picture.
const look = () => {
  const canvas = document.querySelector('#stage');
  const gl = canvas.getContext('webgl');
  const pixels = new Uint8Array(canvas.width * canvas.height * 4);
  gl.readPixels(0, 0, canvas.width, canvas.height, gl.RGBA, gl.UNSIGNED_BYTE, pixels);
  const colours = new Set();
  let sum = 0, drawn = 0;
  for (let i = 0; i < pixels.length; i += 4) {
    if (!pixels[i + 3]) continue;
    drawn++;
    colours.add((pixels[i] >> 4) * 256 + (pixels[i + 1] >> 4) * 16 + (pixels[i + 2] >> 4));
    sum = (sum * 31 + pixels[i] + pixels[i + 1] * 7 + i) % 1000003;
  }
  return { colours: colours.size, share: drawn / (pixels.length / 4), sum };
};

(async () => {
  const browser = await chromium.launch({ executablePath: job.chromium, headless: true, args: FLAGS });
  const seen = { complaints: [], outside: [] };
  try {
    const page = await browser.newPage({ viewport: { width: 1400, height: 950 } });
    page.on('console', (m) => { if (m.type() === 'error') seen.complaints.push(m.text()); });
    page.on('pageerror', (e) => seen.complaints.push(e.message));
    page.on('request', (r) => { if (!/^(file|data|blob):/.test(r.url())) seen.outside.push(r.url()); });
    await page.goto('file://' + job.page);
    await page.waitForTimeout(700);
    const names = () => page.evaluate(() => [...document.querySelectorAll('article h2')].map((h) => h.firstChild.textContent));
    seen.all = await names();
    seen.summary = await page.textContent('#summary');
    seen.scripts = await page.evaluate(() => window.pwned || document.querySelectorAll('article script, article img[onerror]').length);
    await page.screenshot({ path: `${job.out}/page.png`, fullPage: true });
    await page.click('#states button[data-state=dead]');
    seen.dead = await names();
    await page.click('#states button[data-state=all]');
    await page.fill('#search', job.item);
    seen.found = await names();
    await page.fill('#search', '');
    await page.locator("article", { hasText: job.item }).first().locator(".turn").click();
    await page.waitForFunction(() => document.querySelector('#stage').dataset.ready === 'yes' || document.querySelector('#trouble').textContent, null, { timeout: 60000 });
    seen.trouble = await page.textContent('#trouble');
    seen.before = await page.evaluate(look);
    await page.screenshot({ path: `${job.out}/viewer.png` });
    const box = await (await page.$('#stage')).boundingBox();
    await page.mouse.move(box.x + 300, box.y + 300);
    await page.mouse.down();
    await page.mouse.move(box.x + 450, box.y + 330, { steps: 4 });
    await page.mouse.up();
    await page.waitForTimeout(300);
    seen.turned = await page.evaluate(look);
    await page.mouse.wheel(0, 400);
    await page.waitForTimeout(300);
    seen.away = await page.evaluate(look);
    await page.click('#on');
    await page.waitForFunction(() => document.querySelector('#stage').dataset.ready === 'yes');
    seen.next = await page.textContent('#title');
    await page.keyboard.press('ArrowRight');
    await page.waitForFunction(() => document.querySelector('#stage').dataset.ready === 'yes');
    seen.again = await page.textContent('#title');
    await page.emulateMedia({ colorScheme: 'dark' });
    await page.keyboard.press('Escape');
    await page.screenshot({ path: `${job.out}/dark.png` });
  } finally {
    await browser.close();
  }
  console.log(JSON.stringify(seen));
})().catch((e) => { console.error(e); process.exit(1); });
