/** The Alipay mini-program. It signs in by one-time code until the service takes Alipay's own codes. */
import { NotHeard, type Heard, type Sent } from '@/api/request'
import { absolute, choose, copy, download, heardText, imageType, notHeard } from './shared'
import { PlatformSays, type Platform } from './types'

interface AlipayAnswer {
  data?: unknown
  status?: number
  headers?: Record<string, string>
  error?: number
  errorMessage?: string
}
declare const my: {
  request: (o: Record<string, unknown>) => void
  requestSubscribeMessage?: (o: {
    entityIds: string[]
    success: (r: { behavior?: string; result?: { subscribeEntityIds?: string[] } }) => void
    fail: () => void
  }) => void
  getFileSystemManager: () => {
    readFile: (o: { filePath: string; success: (r: { data: ArrayBuffer }) => void; fail: (e: unknown) => void }) => void
  }
}

export const alipay: Platform = {
  name: 'mp-alipay',
  drawer: '',
  keepsSession: true,
  givesPhone: 'no',
  ways: () => ['code'],

  send({ method, path, headers, body, timeoutMs }: Sent): Promise<Heard> {
    if (!__BASE_URL__) return Promise.reject(new NotHeard('offline'))
    return new Promise((yes, no) => {
      const heard = (r: AlipayAnswer) => ({ status: r.status ?? 200, headers: r.headers ?? {}, body: heardText(r.data) })
      my.request({
        url: absolute(`/api/v1${path}`),
        method,
        headers,
        data: body,
        timeout: timeoutMs,
        dataType: 'text',
        success: (r: AlipayAnswer) => yes(heard(r)),
        // An HTTP status outside 2xx comes here, with error 19 and the answer beside it.
        fail: (r: AlipayAnswer) => (r.status ? yes(heard(r)) : no(r.error === 13 ? new NotHeard('timeout') : notHeard(r))),
      })
    })
  },

  silentSignIn: () => Promise.resolve(null),
  openSso: () => Promise.reject(new PlatformSays('unavailable')),

  scan: () =>
    new Promise((yes, no) => {
      uni.scanCode({
        scanType: ['qrCode'],
        success: (r) => yes(r.result || r.path),
        fail: (e) => no(new PlatformSays((e as { error?: number }).error === 10 ? 'cancelled' : 'type')),
      })
    }),

  askSubscribe: (ids) =>
    new Promise((yes) => {
      if (!ids.length || !my.requestSubscribeMessage) return yes({})
      my.requestSubscribeMessage({
        entityIds: ids.slice(0, 3),
        success: (r) => yes(Object.fromEntries((r.result?.subscribeEntityIds ?? []).map((id) => [id, 'accept' as const]))),
        fail: () => yes({}),
      })
    }),

  agreePrivacy: () => Promise.resolve(true),
  phoneCode: () => Promise.reject(new PlatformSays('unavailable')),
  choosePhotos: (count) => choose(count),

  bytes: (path) =>
    new Promise((yes, no) => {
      my.getFileSystemManager().readFile({
        filePath: path,
        success: (r) => yes({ type: imageType(path, r.data), data: r.data }),
        fail: no,
      })
    }),

  picture: download,
  setTitle: (title) => void uni.setNavigationBarTitle({ title }),
  onAddress: () => undefined, // a link opens a page of its own
  handOver: (_name, text) => copy(text),
}
