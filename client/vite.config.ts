import { readFileSync, writeFileSync, existsSync } from 'node:fs'
import { join } from 'node:path'
import uni from '@dcloudio/vite-plugin-uni'
import { defineConfig, type Plugin } from 'vite'

const target = process.env.UNI_PLATFORM ?? 'h5'

/**
 * No build of ours asks a foreign host. The icon font of wot-design-uni: H5 serves the copy in the package, a
 * mini-program (which can load no local font file) carries it in its style sheet. uni-app's page shadows: none.
 */
function noForeignHosts(): Plugin {
  const faces = /@font-face\s*\{[^}]*at\.alicdn\.com[^}]*\}/g
  const shadows = /url\([^)]*cdn\d?\.dcloud\.net\.cn[^)]*\)/g
  const ttf = () =>
    readFileSync(join(__dirname, 'node_modules/wot-design-uni/components/wd-icon/wd-icons.ttf')).toString('base64')
  const inline = () =>
    `@font-face{font-family:'wd-icons';src:url('data:font/ttf;base64,${ttf()}') format('truetype');font-weight:normal;font-style:normal}`
  return {
    name: 'houqin:no-foreign-hosts',
    enforce: 'post',
    generateBundle(_options, bundle) {
      for (const file of Object.values(bundle)) {
        if (file.type !== 'asset' || !/\.(css|wxss|acss)$/.test(file.fileName)) continue
        const css = typeof file.source === 'string' ? file.source : Buffer.from(file.source).toString('utf8')
        if (css.includes('at.alicdn.com') || css.includes('dcloud.net.cn'))
          file.source = css.replace(faces, target === 'h5' ? '' : inline()).replace(shadows, 'none')
      }
    },
  }
}

/** The mini-program's appid comes from the environment: it names a school, not this project. */
function appId(): Plugin {
  return {
    name: 'houqin:app-id',
    enforce: 'post',
    closeBundle() {
      const id = process.env.HOUQIN_MP_APPID
      const out = process.env.UNI_OUTPUT_DIR
      if (target !== 'mp-weixin' || !id || !out) return
      const file = join(out, 'project.config.json')
      if (!existsSync(file)) return
      const project = JSON.parse(readFileSync(file, 'utf8'))
      writeFileSync(file, JSON.stringify({ ...project, appid: id }, null, 2) + '\n')
    },
  }
}

export default defineConfig({
  plugins: [uni(), noForeignHosts(), appId()],
  define: {
    // H5 talks to the host it came from; a mini-program has to be told (docs/client.md).
    __BASE_URL__: JSON.stringify(target === 'h5' ? '' : (process.env.HOUQIN_BASE_URL ?? '').replace(/\/$/, '')),
    __VERSION__: JSON.stringify(process.env.npm_package_version ?? '0'),
  },
  server: {
    host: '127.0.0.1',
    port: 5173,
    proxy: { '/api': process.env.HOUQIN_DEV_API ?? 'http://127.0.0.1:8000', '/m/config.js': process.env.HOUQIN_DEV_API ?? 'http://127.0.0.1:8000' },
  },
  build: { target: 'es2018' },
})
