// Chromium (H.264, AV1, VP9; no HEVC) by playwright-core and Firefox ESR (HEVC too) by puppeteer-core,
// both Debian's own, headless. Everything they would tell the outside by themselves is off.
import { existsSync } from 'node:fs';
import puppeteer from 'puppeteer-core';
import { chromium } from 'playwright-core';

const kChromium = process.env.KAPOK_CHROMIUM ?? '/usr/bin/chromium';
const kFirefox = process.env.KAPOK_FIREFOX ?? '/usr/bin/firefox-esr';

export const noChromium = () => (existsSync(kChromium) ? false : `${kChromium} is not installed`);
export const noFirefox = () => (existsSync(kFirefox) ? false : `${kFirefox} is not installed`);

export const kAutoplay = '--autoplay-policy=no-user-gesture-required';

export async function launchChromium({ args = [kAutoplay] } = {}) {
  return chromium.launch({
    executablePath: kChromium,
    args: [
      // Root, as in CI, has no sandbox of its own to give.
      ...(process.getuid?.() === 0 ? ['--no-sandbox'] : []),
      '--mute-audio', '--disable-dev-shm-usage', '--disable-background-timer-throttling',
      '--disable-renderer-backgrounding', '--disable-backgrounding-occluded-windows',
      '--disable-background-networking', '--disable-component-update', '--disable-sync', '--disable-quic',
      '--no-first-run', ...args,
    ],
  });
}

export async function launchFirefox() {
  return puppeteer.launch({
    browser: 'firefox',
    executablePath: kFirefox,
    headless: true,
    extraPrefsFirefox: {
      'media.autoplay.default': 0,
      'media.volume_scale': '0.0',
      'app.update.enabled': false,
      'datareporting.policy.dataSubmissionEnabled': false,
      'toolkit.telemetry.enabled': false,
      'network.captive-portal-service.enabled': false,
      'network.connectivity-service.enabled': false,
    },
  });
}

/** Collects what a page complains about; give the patterns of complaints that the test provokes. */
export function complaints(page, ignore = []) {
  const list = [];
  const add = (text) => {
    if (!ignore.some((pattern) => pattern.test(text))) list.push(text);
  };
  page.on('pageerror', (error) => add(`pageerror: ${error.message ?? error}`));
  page.on('console', (message) => {
    if (message.type() === 'error') add(`console: ${message.text()}`);
  });
  return list;
}
