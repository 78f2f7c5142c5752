/** H5 at /m/: the official account, WeCom and Alipay web views, browsers, and the sandbox phone's frame. */
import { BridgeRefused } from '@/lib/bridge'
import { PlatformSays, type Platform, type SubscribeAnswer } from '../types'
import { scanByCamera } from './camera'
import { bytes, choosePhotos } from './photos'
import { picture, send } from './send'
import { silentSignIn } from './sign-in'
import { hasSdk, scanBySdk } from './wechat'
import { bridge, flavour, playing, playingForSure } from './where'

export const h5: Platform = {
  name: 'h5',
  drawer: playing ? `@${playing}` : '',
  keepsSession: !bridge || playingForSure,
  givesPhone: bridge ? 'ask' : 'no',
  ways: () => (flavour === 'browser' || flavour === 'alipay' ? ['sso', 'code'] : ['silent', 'sso', 'code']),
  send,
  silentSignIn,
  picture,
  choosePhotos,
  bytes,

  async openSso(url) {
    location.href = url
  },

  async scan(request) {
    if (bridge) {
      const { result, path } = await bridge<{ result: string; path?: string }>('scanCode').catch((e) => {
        throw new PlatformSays('cancelled', e instanceof BridgeRefused ? e.message : '')
      })
      return result || path || '' // a mini-program code has a path and no text
    }
    if (hasSdk())
      return scanBySdk(request).catch((e) => {
        throw e instanceof PlatformSays ? e : new PlatformSays('type', String(e))
      })
    return scanByCamera()
  },

  async askSubscribe(ids) {
    if (!bridge || !ids.length) return {} // a web page cannot ask; the account's own messages go on
    const said = await bridge<Record<string, string>>('requestSubscribeMessage', { tmplIds: ids.slice(0, 3) }).catch(() => ({}))
    const answers: Record<string, SubscribeAnswer> = {}
    for (const id of ids) {
      const answer = (said as Record<string, string>)[id]
      if (answer === 'accept' || answer === 'reject' || answer === 'ban') answers[id] = answer
    }
    return answers
  },

  agreePrivacy: () => Promise.resolve(true),

  async phoneCode() {
    if (!bridge) throw new PlatformSays('unavailable')
    const { code } = await bridge<{ code: string }>('getPhoneNumber').catch((e) => {
      throw new PlatformSays('cancelled', String(e))
    })
    return code
  },

  setTitle(title) {
    void uni.setNavigationBarTitle({ title })
    if (bridge) bridge('setNavigationBarTitle', { title }).catch(() => undefined)
  },

  onAddress(run) {
    addEventListener('hashchange', () => setTimeout(() => run(location.hash.replace(/^#/, '')), 50))
  },

  async handOver(name, text) {
    const link = document.createElement('a')
    link.href = URL.createObjectURL(new Blob([text], { type: 'application/json' }))
    link.download = name
    link.click()
    setTimeout(() => URL.revokeObjectURL(link.href), 10000)
    return 'file'
  },
}
