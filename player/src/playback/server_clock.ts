// How far this device's clock is from the server's. Latency is (server now) - (time of the picture),
// so a wrong household clock would otherwise show as seconds of latency.

export class ServerClock {
  private offset_ms = 0;

  now(): number {
    return Date.now() + this.offset_ms;
  }

  /** The best of three short round trips; keeps the old offset when the server does not answer. */
  async synchronise(): Promise<void> {
    let best = Infinity;
    for (let i = 0; i < 3; i++) {
      const sent = performance.now();
      try {
        const response = await fetch(new URL('/time', location.origin), { cache: 'no-store' });
        const server = Date.parse((await response.text()).trim());
        const roundTrip = performance.now() - sent;
        if (response.ok && !Number.isNaN(server) && roundTrip < best) {
          best = roundTrip;
          this.offset_ms = server + roundTrip / 2 - Date.now();
        }
      } catch {
        return;
      }
    }
  }
}
