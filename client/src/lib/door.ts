/**
 * What was scanned, read as a door. A door code is `D` and ten letters or digits; it arrives bare, as a
 * link (`…/m/#/pages/repair/file?door=CODE`), as a mini-program code's path or scene, or typed by hand.
 */

export type Scanned =
  | { kind: 'door'; code: string }
  | { kind: 'official' } // the official account's own QR: only WeChat's scanner can read it
  | { kind: 'foreign' }
  | { kind: 'nothing' }

const CODE = /^D[0-9A-Z]{10}$/
const OFFICIAL = /^https?:\/\/(weixin\.qq\.com|mp\.weixin\.qq\.com|w\.url\.cn)\//i

export function asDoorCode(text: string): string | null {
  const code = text.trim().replace(/[\s-]/g, '').toUpperCase()
  return CODE.test(code) ? code : null
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

export function readScan(text: string | null | undefined): Scanned {
  const raw = (text ?? '').trim()
  if (!raw) return { kind: 'nothing' }
  const bare = asDoorCode(raw) ?? asDoorCode(decoded(raw))
  if (bare) return { kind: 'door', code: bare }
  const named = /[?&#](?:door|scene)=([^&#\s]+)/i.exec(raw) ?? /^(?:door|scene)=([^&#\s]+)/i.exec(decoded(raw))
  if (named) {
    const value = decoded(named[1])
    const code = asDoorCode(value) ?? asDoorCode(value.replace(/^(?:door|scene|d)=/i, ''))
    if (code) return { kind: 'door', code }
  }
  return OFFICIAL.test(raw) ? { kind: 'official' } : { kind: 'foreign' }
}

/** The door in a page's options: `?door=` or a mini-program code's `scene`. */
export function doorFromOptions(options: Record<string, string | undefined> | undefined): string | null {
  if (!options) return null
  for (const value of [options.door, options.scene, options.q]) {
    const found = readScan(value ? decoded(value) : '')
    if (found.kind === 'door') return found.code
  }
  return null
}
