/// <reference types="vite/client" />
declare module '*.vue' {
  import type { DefineComponent } from 'vue'
  const component: DefineComponent<object, object, unknown>
  export default component
}

/** Where the service is; empty means the host the page came from. Set by vite.config.ts. */
declare const __BASE_URL__: string
declare const __VERSION__: string

/** What /m/config.js says; absent when the service wrote none. */
interface HouqinConfig {
  bridges?: string[]
  jweixin?: string
}
interface Window {
  HOUQIN?: HouqinConfig
  __wxjs_environment?: string
}
