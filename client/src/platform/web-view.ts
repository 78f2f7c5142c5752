/** Leaving an H5 page that a mini-program's web-view shows; nothing to leave anywhere else. */
// #ifdef H5
import { backToMiniProgram as leave } from './h5/wechat'
// #endif

export async function backToMiniProgram(url: string): Promise<boolean> {
  // #ifdef H5
  return leave(url).catch(() => false)
  // #endif
  // #ifndef H5
  return false && Boolean(url)
  // #endif
}
