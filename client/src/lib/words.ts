/** Errors and times in the page's language. The service's own `detail` goes first: it knows what to do. */
import { ApiError } from '@/api/request'
import { t, type Key } from '@/i18n'
import { minutesUntil, spoken } from './time'

export function errorText(error: unknown): string {
  if (!(error instanceof ApiError)) return t('error.unknown')
  if (error.status === 0) return t(error.code === 'timeout' ? 'error.timeout' : 'error.offline')
  if (error.detail) return error.detail
  if (error.status === 401) return t('error.sign_in')
  if (error.status === 403) return t('error.forbidden')
  if (error.status === 404) return t('error.not_found')
  if (error.status === 429 || error.status >= 502) return t('error.busy')
  return t('error.unknown')
}

export const requestId = (error: unknown): string | null => (error instanceof ApiError && error.problem.request_id) || null

export function timeText(iso: string, now = Date.now()): string {
  const said = spoken(iso, now)
  if (said.day !== 'date') return t(`time.${said.day}`, { clock: said.clock })
  const facts = { month: said.month, date: said.date, clock: said.clock }
  return said.year === null ? t('time.date', facts) : t('time.full', { ...facts, year: said.year })
}

export function dueText(iso: string, now = Date.now()): string {
  const left = minutesUntil(iso, now)
  if (left < 0) return t('time.over')
  return left < 120 ? t('time.left_minutes', { n: left }) : t('time.left_hours', { n: Math.floor(left / 60) })
}

/** A word for a code that may be newer than this build: then the code itself. */
export function known(prefix: string, code: string): string {
  const key = `${prefix}${code}` as Key
  const said = t(key)
  return said === undefined ? code : said
}
