// The page is served by kapok-server itself, at "/" and "/watch/<channel>": asset URLs are absolute,
// names carry a content hash (so they are immutable), and nothing is inlined, because the
// content security policy allows neither inline scripts nor inline styles.
import { defineConfig } from 'vite';

const server = process.env['KAPOK_SERVER'] ?? 'http://127.0.0.1:8080';

export default defineConfig({
  base: '/',
  esbuild: { jsx: 'automatic', jsxImportSource: 'preact' },
  build: {
    target: 'es2020',
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    chunkSizeWarningLimit: 800,
    rollupOptions: {
      output: {
        manualChunks: (id) => (id.includes('shaka-player') ? 'shaka' : undefined),
      },
    },
  },
  server: {
    proxy: Object.fromEntries(
      ['/api', '/s/', '/live', '/time'].map((path) => [path, { target: server, changeOrigin: true }]),
    ),
  },
});
