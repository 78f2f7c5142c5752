/** WeChat's JS-SDK inside the official account's and WeCom's web views. Its address stands in /m/config.js. */
import type { JsConfig } from '@/api/model'
import type { Request } from '@/api/request'
import { PlatformSays } from '../types'
import { flavour } from './where'

interface Sdk {
  config(settings: Record<string, unknown>): void
  ready(run: () => void): void
  error(run: (e: { errMsg?: string }) => void): void
  scanQRCode(o: Record<string, unknown>): void
  miniProgram?: { reLaunch(o: { url: string }): void }
}
declare global {
  interface Window {
    wx?: Sdk
    jWeixin?: Sdk
  }
}

let loading: Promise<Sdk> | null = null
let configured: Promise<Sdk> | null = null

export const hasSdk = () => Boolean(window.HOUQIN?.jweixin) && (flavour === 'official' || flavour === 'wecom')

function load(): Promise<Sdk> {
  loading ??= new Promise<Sdk>((yes, no) => {
    const script = document.createElement('script')
    script.src = window.HOUQIN?.jweixin ?? ''
    script.onload = () => {
      const sdk = window.jWeixin ?? window.wx
      if (sdk?.config) yes(sdk)
      else no(new Error('jweixin'))
    }
    script.onerror = () => no(new Error('jweixin'))
    document.head.appendChild(script)
  }).catch((error) => {
    loading = null
    throw error
  })
  return loading
}

function ready(request: Request): Promise<Sdk> {
  configured ??= (async () => {
    const sdk = await load()
    const url = location.href.split('#')[0] // signed without the fragment, PROTOCOLS 1.9
    const { data } = await request<JsConfig>('GET', '/wechat/js-config', { query: { url, account: flavour } })
    await new Promise<void>((yes, no) => {
      sdk.ready(yes)
      sdk.error((e) => no(new Error(e.errMsg)))
      sdk.config({
        beta: flavour === 'wecom',
        appId: data.app_id,
        timestamp: data.timestamp,
        nonceStr: data.nonce,
        signature: data.signature,
        jsApiList: data.js_api_list,
      })
    })
    return sdk
  })().catch((error) => {
    configured = null
    throw error
  })
  return configured
}

export async function scanBySdk(request: Request): Promise<string> {
  const sdk = await ready(request)
  return new Promise((yes, no) => {
    sdk.scanQRCode({
      needResult: 1,
      scanType: ['qrCode'],
      desc: 'scanQRCode desc',
      success: (r: { resultStr: string }) => yes(r.resultStr),
      cancel: () => no(new PlatformSays('cancelled')),
      fail: (e: { errMsg?: string }) => no(new PlatformSays('type', e.errMsg)),
    })
  })
}

/** Inside a mini-program's web-view: carry the single sign-on ticket back to the mini-program's own page. */
export async function backToMiniProgram(url: string): Promise<boolean> {
  if (!/miniProgram/i.test(navigator.userAgent) && window.__wxjs_environment !== 'miniprogram') return false
  if (!window.HOUQIN?.jweixin) return false
  const sdk = await load()
  sdk.miniProgram?.reLaunch({ url })
  return Boolean(sdk.miniProgram)
}
