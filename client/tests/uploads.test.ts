import { describe, expect, it } from 'vitest'
import { UploadQueue, type Upload } from '@/lib/uploads'

/** A service that takes photos one by one and fails those it was told to fail. */
function queue(failing: Set<string> = new Set()) {
  const put: string[] = []
  let shown: Upload[] = []
  let inside = 0
  const q = new UploadQueue({
    put: async (u, onProgress) => {
      inside += 1
      expect(inside, 'one at a time').toBe(1)
      put.push(u.key)
      onProgress(0.5)
      await Promise.resolve()
      inside -= 1
      if (failing.has(u.key)) throw new Error('no')
      return `ZP-${u.key}`
    },
    changed: (all) => (shown = all),
    words: () => '没有传上去',
  })
  return { q, put, failing, shown: () => shown }
}
const photos = (...keys: string[]) => keys.map((key) => ({ key, path: `blob:${key}` }))

describe('photos on their way', () => {
  it('go one after another and keep their order', async () => {
    const { q, put } = queue()
    q.add(photos('a', 'b', 'c'))
    expect(await q.settled()).toBe(true)
    expect(put).toEqual(['a', 'b', 'c'])
    expect(q.numbers).toEqual(['ZP-a', 'ZP-b', 'ZP-c'])
  })
  it('are never more than nine', async () => {
    const { q } = queue()
    q.add(photos(...'abcdefghijkl'))
    await q.settled()
    expect(q.all).toHaveLength(9)
    expect(q.room).toBe(0)
  })
  it('that failed stay, hold nobody up, and go again under the same key', async () => {
    const { q, put, failing, shown } = queue(new Set(['b']))
    q.add(photos('a', 'b', 'c'))
    expect(await q.settled()).toBe(false)
    expect(q.numbers).toEqual(['ZP-a', 'ZP-c'])
    expect(shown()[1]).toMatchObject({ state: 'failed', error: '没有传上去' })
    failing.clear()
    q.retry('b')
    expect(await q.settled()).toBe(true)
    expect(put).toEqual(['a', 'b', 'c', 'b'])
    expect(q.numbers).toEqual(['ZP-a', 'ZP-b', 'ZP-c'])
  })
  it('taken away while on their way are not counted', async () => {
    const { q } = queue()
    q.add(photos('a', 'b'))
    q.remove('a')
    expect(await q.settled()).toBe(true)
    expect(q.numbers).toEqual(['ZP-b'])
  })
  it('of a draft were sent before', async () => {
    const { q, put } = queue()
    q.restore([{ key: 'x', path: 'blob:x', no: 'ZP-x' }])
    q.add(photos('a'))
    await q.settled()
    expect(put).toEqual(['a'])
    expect(q.numbers).toEqual(['ZP-x', 'ZP-a'])
  })
})
