/** The platform this build is for. The only place where targets are told apart. */
import type { Platform } from './types'
// #ifdef H5
import { h5 } from './h5'
// #endif
// #ifdef MP-WEIXIN
import { weixin } from './mp-weixin'
// #endif
// #ifdef MP-ALIPAY
import { alipay } from './mp-alipay'
// #endif

let chosen!: Platform
// #ifdef H5
chosen = h5
// #endif
// #ifdef MP-WEIXIN
chosen = weixin
// #endif
// #ifdef MP-ALIPAY
chosen = alipay
// #endif

export const platform: Platform = chosen
export { PlatformSays } from './types'
export type { Platform, SignInWay, SubscribeAnswer } from './types'
