// Numbers, times and names as people read them.

const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const clock = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit" });
const day = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short" });
const full = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeStyle: "medium" });

export function count(value) {
  return whole.format(value);
}

// plural(1, "passage") → "1 passage"
export function plural(value, one, many = `${one}s`) {
  return `${count(value)} ${value === 1 ? one : many}`;
}

export function seconds(value) {
  if (value === null || value === undefined) return "";
  if (value < 0.1) return `${(value * 1000).toFixed(value < 0.01 ? 1 : 0)} ms`;
  if (value < 59.95) return `${value.toFixed(value < 9.995 ? 2 : 1)} s`;
  const rounded = Math.round(value); // first, or 119.6 would be 1 min 60 s
  const minutes = Math.floor(rounded / 60);
  return minutes < 60 ? `${minutes} min ${rounded % 60} s` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

// Of what lies ahead nobody knows hundredths: 7 s
export function roughly(value) {
  return value < 59.5 ? `${Math.max(1, Math.round(value))} s` : seconds(value);
}

// Of what goes slowly the minute or the hour is told: 0.03 a second is 1.8 a minute
export function pace(value) {
  const [times, unit] = [[1, "a second"], [60, "a minute"], [3600, "an hour"]].find(([by]) => value * by >= 0.95) ?? [3600, "an hour"];
  const many = value * times;
  return `${many < 9.95 ? Number(many.toPrecision(2)) : count(many)} ${unit}`;
}

export function dollars(value) {
  if (value === null || value === undefined) return "";
  return value === 0 ? "$0" : `$${value < 0.01 ? value.toPrecision(2) : value.toFixed(2)}`;
}

// 98 MB
export function bytes(value) {
  if (value === null || value === undefined) return "";
  if (value === 0) return "0";
  const [by, name] = [[1e9, "GB"], [1e6, "MB"], [1e3, "kB"]].find(([size]) => value >= size) ?? [1, "B"];
  return `${value / by >= 100 ? Math.round(value / by) : Number((value / by).toPrecision(2))} ${name}`;
}

// POSIX seconds; today as a time, else the day too
export function when(posix) {
  const date = new Date(posix * 1000);
  return date.toDateString() === new Date().toDateString() ? clock.format(date) : `${day.format(date)}, ${clock.format(date)}`;
}

export function fullTime(posix) {
  return full.format(new Date(posix * 1000));
}

export function dayName(date) {
  return day.format(date);
}

// Variants, traces and the like are long digests: their beginning tells them apart
export function short(id) {
  return id ? id.slice(0, 8) : "";
}

export function fileName(source) {
  return source.split("/").pop() || source;
}
