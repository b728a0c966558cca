// node --import clock.preload.mjs: a process whose clock is wrong by PARLEY_CLOCK_SHIFT_MS. Its stopwatch
// (performance.now, timers) is right, as a wrong clock's is.
const shift = Number(process.env.PARLEY_CLOCK_SHIFT_MS ?? 0);
const RightDate = Date;
const wrongNow = () => RightDate.now() + shift;

globalThis.Date = new Proxy(RightDate, {
  construct: (target, parts, newTarget) =>
    Reflect.construct(target, parts.length === 0 ? [wrongNow()] : parts, newTarget),
  get: (target, name) => (name === 'now' ? wrongNow : Reflect.get(target, name)),
});
