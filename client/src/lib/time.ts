/** Times as people on campus say them. The service speaks ISO 8601 with its offset; the campus keeps +08:00. */

const CAMPUS_MS = 8 * 3600 * 1000
const DAY_MS = 24 * 3600 * 1000

function parts(at: number) {
  const d = new Date(at + CAMPUS_MS)
  return {
    year: d.getUTCFullYear(),
    month: d.getUTCMonth() + 1,
    day: d.getUTCDate(),
    clock: `${two(d.getUTCHours())}:${two(d.getUTCMinutes())}`,
    midnight: Math.floor((at + CAMPUS_MS) / DAY_MS),
  }
}

const two = (n: number) => String(n).padStart(2, '0')

export interface Spoken {
  day: 'today' | 'yesterday' | 'tomorrow' | 'date'
  month: number
  date: number
  year: number | null
  clock: string
}

export function spoken(iso: string, now: number): Spoken {
  const there = parts(Date.parse(iso))
  const here = parts(now)
  const apart = there.midnight - here.midnight
  const day = apart === 0 ? 'today' : apart === -1 ? 'yesterday' : apart === 1 ? 'tomorrow' : 'date'
  return { day, month: there.month, date: there.day, year: there.year === here.year ? null : there.year, clock: there.clock }
}

export function minutesUntil(iso: string, now: number): number {
  return Math.round((Date.parse(iso) - now) / 60000)
}

/** "2026-11-21" and "14:30" in campus time as ISO 8601 with offset. */
export function campusIso(date: string, clock: string): string {
  return `${date}T${clock}:00+08:00`
}

export function campusDate(now: number, plusDays = 0): string {
  const d = new Date(now + CAMPUS_MS + plusDays * DAY_MS)
  return `${d.getUTCFullYear()}-${two(d.getUTCMonth() + 1)}-${two(d.getUTCDate())}`
}
