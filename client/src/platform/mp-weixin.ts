/** The WeChat mini-program. */
import { NotHeard, type Heard, type Sent } from '@/api/request'
import { absolute, choose, copy, download, heardText, imageType, notHeard } from './shared'
import { PlatformSays, type Platform, type SubscribeAnswer } from './types'

declare const wx: {
  requirePrivacyAuthorize?: (o: { success: () => void; fail: () => void }) => void
  requestSubscribeMessage: (o: {
    tmplIds: string[]
    success: (r: Record<string, string>) => void
    fail: (e: { errMsg: string; errCode?: number }) => void
  }) => void
}

export const weixin: Platform = {
  name: 'mp-weixin',
  drawer: '',
  keepsSession: true,
  givesPhone: 'button',
  ways: () => ['silent', 'sso', 'code'],

  send({ method, path, headers, body, timeoutMs }: Sent): Promise<Heard> {
    if (!__BASE_URL__) return Promise.reject(new NotHeard('offline'))
    return new Promise((yes, no) => {
      uni.request({
        url: absolute(`/api/v1${path}`),
        method,
        header: headers,
        data: body,
        timeout: timeoutMs,
        dataType: 'text',
        success: (r) => yes({ status: r.statusCode, headers: r.header as Record<string, string>, body: heardText(r.data) }),
        fail: (e) => no(notHeard(e)),
      })
    })
  },

  silentSignIn: () =>
    new Promise((yes, no) => {
      uni.login({
        provider: 'weixin',
        success: (r) => yes({ path: '/login/mini', json: { code: r.code } }),
        fail: (e) => no(notHeard(e)),
      })
    }),

  async openSso(url) {
    // The page returns here by wx.miniProgram.reLaunch from the H5 sign-in page, with the ticket.
    await uni.navigateTo({ url: `/pages/web/web?url=${encodeURIComponent(url)}` })
  },

  scan: () =>
    new Promise((yes, no) => {
      uni.scanCode({
        scanType: ['qrCode'],
        // A mini-program code has a path and no text; its scene is in the path.
        success: (r) => yes(r.path || r.result),
        fail: (e) => no(new PlatformSays(/cancel/.test(e.errMsg ?? '') ? 'cancelled' : 'type', e.errMsg)),
      })
    }),

  askSubscribe: (ids) =>
    new Promise((yes) => {
      if (!ids.length) return yes({})
      wx.requestSubscribeMessage({
        tmplIds: ids.slice(0, 3),
        success: (r) => {
          const answers: Record<string, SubscribeAnswer> = {}
          for (const id of ids) if (r[id]) answers[id] = r[id] === 'accept' || r[id] === 'ban' ? (r[id] as SubscribeAnswer) : 'reject'
          yes(answers)
        },
        fail: () => yes({}), // 20004: the main switch is off; nothing was granted
      })
    }),

  agreePrivacy: () =>
    new Promise((yes) => {
      if (!wx.requirePrivacyAuthorize) return yes(true)
      wx.requirePrivacyAuthorize({ success: () => yes(true), fail: () => yes(false) })
    }),

  phoneCode: () => Promise.reject(new PlatformSays('unavailable')),

  choosePhotos: (count) => choose(count),

  async bytes(path) {
    const small = await new Promise<string>((yes) => {
      uni.compressImage({
        src: path,
        quality: 78,
        compressedWidth: 1600,
        success: (r) => yes(r.tempFilePath),
        fail: () => yes(path),
      } as UniApp.CompressImageOptions)
    })
    return new Promise((yes, no) => {
      uni.getFileSystemManager().readFile({
        filePath: small,
        success: (r) => {
          const data = r.data as ArrayBuffer
          yes({ type: imageType(path, data), data })
        },
        fail: no,
      })
    })
  },

  picture: download,
  setTitle: (title) => void uni.setNavigationBarTitle({ title }),
  onAddress: () => undefined, // a link opens a page of its own
  handOver: (_name, text) => copy(text),
}
