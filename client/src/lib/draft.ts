/** A report half written is kept on the phone, with the key under which it will be sent. */
import { newKey } from '@/api/request'
import type { CommonFault, Entry, PlaceRef, Severity } from '@/api/model'

export interface Draft {
  key: string
  door: string | null
  place: PlaceRef | null
  fault: Pick<CommonFault, 'code' | 'name'> | null
  text: string
  photos: { no: string }[]
  quantity: number
  severity: Severity
  window: { date: string; from: string; until: string } | null
  entry: Entry
  contactName: string
  contactPhone: string
  savedAt: number
}

export interface Store {
  get: (name: string) => unknown
  set: (name: string, value: unknown) => void
  remove: (name: string) => void
}

const NAME = 'houqin.draft'
const KEPT_MS = 20 * 3600 * 1000 // the service drops unused photos after 24 h

export function emptyDraft(now: number): Draft {
  return {
    key: newKey(),
    door: null,
    place: null,
    fault: null,
    text: '',
    photos: [],
    quantity: 1,
    severity: 'normal',
    window: null,
    entry: { nobody_home_ok: false, escort: false, note: null },
    contactName: '',
    contactPhone: '',
    savedAt: now,
  }
}

export const isWorthKeeping = (draft: Draft) => Boolean(draft.text.trim() || draft.photos.length || draft.fault)

export function keepDraft(store: Store, draft: Draft, now: number): void {
  if (isWorthKeeping(draft)) store.set(NAME, { ...draft, savedAt: now })
  else store.remove(NAME)
}

export function foundDraft(store: Store, now: number): Draft | null {
  const kept = store.get(NAME) as Draft | null
  if (!kept || typeof kept !== 'object' || !kept.key) return null
  if (now - kept.savedAt > KEPT_MS) {
    store.remove(NAME)
    return null
  }
  return { ...emptyDraft(now), ...kept }
}

export const dropDraft = (store: Store) => store.remove(NAME)

export function asNewRepair(draft: Draft, photos: string[], iso: (date: string, clock: string) => string) {
  const { window: w, entry } = draft
  return {
    place: draft.place?.code ?? '',
    fault: draft.fault?.code ?? '',
    text: draft.text.trim(),
    photos,
    ...(draft.quantity > 1 ? { quantity: draft.quantity } : {}),
    ...(draft.severity !== 'normal' ? { severity: draft.severity } : {}),
    ...(draft.contactName.trim() ? { contact_name: draft.contactName.trim() } : {}),
    ...(draft.contactPhone.trim() ? { contact_phone: draft.contactPhone.trim() } : {}),
    ...(w ? { window: { from: iso(w.date, w.from), until: iso(w.date, w.until) } } : {}),
    ...(entry.nobody_home_ok || entry.escort || entry.note ? { entry } : {}),
    ...(draft.door ? { door: draft.door } : {}),
  }
}

/** The fault that stands in when somebody sends a photo and no word: the desk will name it. */
export function unnamedFault<T extends { code: string; name: string; children?: T[] }>(tree: T[]): T | null {
  for (const fault of tree) {
    const deeper = unnamedFault(fault.children ?? [])
    if (deeper) return deeper
    if (!fault.children?.length && (/^(其他|其它|不清楚|说不清)/.test(fault.name) || /(^|[._-])(other|others|misc)$/i.test(fault.code))) return fault
  }
  return null
}
