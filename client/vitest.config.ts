import { defineConfig } from 'vitest/config'

export default defineConfig({
  resolve: { alias: { '@': new URL('./src', import.meta.url).pathname } },
  define: { __BASE_URL__: '""', __VERSION__: '"test"' },
  test: { include: ['tests/**/*.test.ts'], environment: 'node' },
})
