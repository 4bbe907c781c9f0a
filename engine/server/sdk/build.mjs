// Builds the files that are served from `src`: `node build.mjs [FOLDER]`, with esbuild as pinned in
// package.json. The same sources give the same bytes; a test holds the committed files to it.
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
// The tests have esbuild elsewhere, and say where.
const { build } = createRequire(process.env.ESBUILD_FROM ?? import.meta.url)("esbuild");

await build({
  absWorkingDir: here,
  entryPoints: ["sdk", "sdk-inapp", "sdk-sw"].map((name) => join("src", `${name}.js`)),
  outdir: process.argv[2] ?? here,
  bundle: true,
  minify: true,
  format: "iife",
  target: "es2020",
  charset: "utf8",
  legalComments: "none",
});
