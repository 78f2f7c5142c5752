import { describe, expect, it } from 'vitest'
import { newKey } from '@/api/request'
import { doorFromOptions, readScan } from '@/lib/door'
import { asNewRepair, dropDraft, emptyDraft, foundDraft, keepDraft, unnamedFault, type Store } from '@/lib/draft'
import { NEXT_KEYS, nextForWorker, sortDeeds, STAGES, TONES } from '@/lib/states'
import { campusDate, campusIso, minutesUntil, spoken } from '@/lib/time'
import { en } from '@/i18n/en'
import { locale, t } from '@/i18n'
import { zhCN } from '@/i18n/zh-CN'

const DOOR = 'D7K2M9X4CDE'

describe('what was scanned', () => {
  it.each([
    [DOOR, DOOR],
    [' d7k2 m9x4-cde ', DOOR],
    [`https://houqin.example/m/#/pages/repair/file?door=${DOOR}`, DOOR],
    [`https://houqin.example/m/?door=${DOOR}#/`, DOOR],
    [`pages/repair/file?scene=${DOOR}`, DOOR],
    [`pages/repair/file?scene=${encodeURIComponent(`door=${DOOR}`)}`, DOOR],
    [encodeURIComponent(`door=${DOOR}`), DOOR],
  ])('%s is the door', (text, code) => {
    expect(readScan(text)).toEqual({ kind: 'door', code })
  })

  it.each([
    ['http://weixin.qq.com/q/02abc', 'official'],
    ['https://example.com/?door=hello', 'foreign'],
    ['6901234567890', 'foreign'],
    ['%E0%A4%A', 'foreign'],
    ['', 'nothing'],
    [null, 'nothing'],
  ])('%s is %s', (text, kind) => {
    expect(readScan(text).kind).toBe(kind)
  })

  it('comes in a page’s options as door or as a mini-program code’s scene', () => {
    expect(doorFromOptions({ door: DOOR })).toBe(DOOR)
    expect(doorFromOptions({ scene: encodeURIComponent(DOOR) })).toBe(DOOR)
    expect(doorFromOptions({ scene: encodeURIComponent(`door=${DOOR}`) })).toBe(DOOR)
    expect(doorFromOptions({ no: 'WX1' })).toBeNull()
    expect(doorFromOptions(undefined)).toBeNull()
  })
})

describe('times, as the campus says them', () => {
  const now = Date.parse('2026-11-20T23:30:00+08:00')
  it('counts days by the campus clock, wherever the phone is', () => {
    expect(spoken('2026-11-20T00:05:00+08:00', now)).toMatchObject({ day: 'today', clock: '00:05' })
    expect(spoken('2026-11-20T17:00:00Z', now)).toMatchObject({ day: 'tomorrow', clock: '01:00' })
    expect(spoken('2026-11-19T23:59:00+08:00', now).day).toBe('yesterday')
    expect(spoken('2026-03-01T08:00:00+08:00', now)).toEqual({ day: 'date', month: 3, date: 1, year: null, clock: '08:00' })
    expect(spoken('2025-12-31T08:00:00+08:00', now).year).toBe(2025)
  })
  it('speaks ISO 8601 with the campus offset', () => {
    expect(campusDate(now)).toBe('2026-11-20')
    expect(campusDate(now, 1)).toBe('2026-11-21')
    expect(campusIso('2026-11-21', '08:00')).toBe('2026-11-21T08:00:00+08:00')
    expect(minutesUntil('2026-11-21T00:00:00+08:00', now)).toBe(30)
  })
})

describe('states', () => {
  it('each has a tone, a stage, a sentence and a name', () => {
    for (const state of Object.keys(STAGES) as (keyof typeof STAGES)[]) {
      expect(TONES[state]).toBeTruthy()
      expect(zhCN[NEXT_KEYS[state]]).toBeTruthy()
      expect(zhCN[`state.${state}`]).toBeTruthy()
    }
  })
  it('deeds not known here are not shown', () => {
    expect(sortDeeds(['rate', 'teleport', 'accept', 'finish'])).toEqual({ requester: ['accept', 'rate'], worker: ['finish'] })
  })
  it('a worker is led from taking to being there to finishing', () => {
    const step = (action: string, at: string) => ({ action, at: `2026-11-20T${at}:00+08:00` })
    const taken = [step('file', '08:00'), step('assign', '08:01'), step('take', '08:05')]
    expect(nextForWorker(['take'], taken.slice(0, 2))).toBe('take')
    expect(nextForWorker(['arrive', 'finish', 'cannot'], taken)).toBe('arrive')
    expect(nextForWorker(['arrive', 'finish', 'cannot'], [...taken, step('arrive', '08:20')])).toBe('finish')
    const again = [...taken, step('arrive', '08:20'), step('finish', '08:40'), step('refuse', '09:00'), step('take', '09:10')]
    expect(nextForWorker(['arrive', 'finish', 'cannot'], again)).toBe('arrive')
    expect(nextForWorker(['cancel'], taken)).toBeNull()
  })
})

describe('a draft', () => {
  function store(): Store & { all: Map<string, unknown> } {
    const all = new Map<string, unknown>()
    return { all, get: (n) => all.get(n) ?? null, set: (n, v) => void all.set(n, JSON.parse(JSON.stringify(v))), remove: (n) => void all.delete(n) }
  }
  const now = Date.parse('2026-11-20T12:00:00+08:00')

  it('is kept with the key under which it will be sent', () => {
    const kept = store()
    const draft = { ...emptyDraft(now), text: '漏水', photos: [{ no: 'ZP1' }] }
    keepDraft(kept, draft, now)
    expect(foundDraft(kept, now + 1000)).toMatchObject({ key: draft.key, text: '漏水', photos: [{ no: 'ZP1' }] })
    dropDraft(kept)
    expect(foundDraft(kept, now)).toBeNull()
  })
  it('that says nothing is not kept, and one whose photos are gone is dropped', () => {
    const kept = store()
    keepDraft(kept, emptyDraft(now), now)
    expect(kept.all.size).toBe(0)
    keepDraft(kept, { ...emptyDraft(now), text: '漏水' }, now)
    expect(foundDraft(kept, now + 24 * 3600 * 1000)).toBeNull()
    expect(kept.all.size).toBe(0)
  })
  it('becomes a report that says only what was said', () => {
    const draft = { ...emptyDraft(now), place: { code: 'D12-402', label: '' }, fault: { code: 'ac', name: '' }, text: ' 不制冷 ' }
    expect(asNewRepair(draft, ['ZP1'], campusIso)).toEqual({ place: 'D12-402', fault: 'ac', text: '不制冷', photos: ['ZP1'] })
    const more = {
      ...draft,
      door: DOOR,
      quantity: 2,
      severity: 'serious' as const,
      window: { date: '2026-11-21', from: '08:00', until: '12:00' },
      entry: { nobody_home_ok: true, escort: false, note: null },
      contactPhone: '13800001234',
    }
    expect(asNewRepair(more, [], campusIso)).toEqual({
      place: 'D12-402',
      fault: 'ac',
      text: '不制冷',
      photos: [],
      quantity: 2,
      severity: 'serious',
      contact_phone: '13800001234',
      window: { from: '2026-11-21T08:00:00+08:00', until: '2026-11-21T12:00:00+08:00' },
      entry: { nobody_home_ok: true, escort: false, note: null },
      door: DOOR,
    })
  })
  it('without a word goes to the fault that means "the desk will see"', () => {
    const tree = [{ code: 'water', name: '水', children: [{ code: 'water.other', name: '水其他' }] }, { code: 'misc', name: '其他' }]
    expect(unnamedFault(tree)?.code).toBe('water.other')
    expect(unnamedFault([{ code: 'a', name: '其他问题' }])?.code).toBe('a')
    expect(unnamedFault([{ code: 'mother', name: '母线' }])).toBeNull()
  })
  it('has a key of its own', () => {
    expect(emptyDraft(now).key).not.toBe(newKey())
  })
})

describe('words', () => {
  it('fill in their facts', () => {
    expect(t('home.hello', { name: '林小雨' })).toBe('林小雨，您好')
    expect(t('error.request_id', {})).toBe('编号 {id}')
  })
  it('another language has no key that Chinese has not, and the same facts in each', () => {
    const facts = (text: string) => [...text.matchAll(/\{(\w+)\}/g)].map((m) => m[1]).sort()
    for (const [key, text] of Object.entries(en)) {
      expect(zhCN).toHaveProperty([key])
      expect(facts(text), key).toEqual(facts(zhCN[key as keyof typeof zhCN]))
    }
  })
  it('fall back to Chinese', () => {
    locale.value = 'en'
    expect(t('ticket.photos_filed')).toBeTruthy()
    locale.value = 'zh-CN'
  })
})
