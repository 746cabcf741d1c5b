// What: the main thread builds documents while the thread pool compresses and hashes; results print in a fixed order.
'use strict';
const crypto = require('crypto');
const fs = require('fs');
const zlib = require('zlib');
const { promisify } = require('util');
const { execFileSync } = require('child_process');

const size = Number(process.argv[2]); // rounds, or a part of one
const part = Math.min(1, size);
let state = 4321;
const rnd = (bound) => { state = (state * 16807) % 2147483647; return state % bound; };
const word = () => Array.from({ length: 1 + rnd(12) }, () => String.fromCharCode(97 + rnd(26))).join('');
const sha = (data) => crypto.createHash('sha256').update(data).digest('hex');

function tree(depth) {
  if (depth === 0) return rnd(2) ? word() : rnd(1e9) / 16;
  if (rnd(2)) return Array.from({ length: 2 + rnd(5) }, () => tree(depth - 1));
  return Object.fromEntries(Array.from({ length: 2 + rnd(5) }, () => [word(), tree(depth - 1)]));
}

async function oneRound(round) {
  const text = JSON.stringify(tree(7));
  console.log('json', round, text.length, sha(text), JSON.stringify(JSON.parse(text)) === text);
  const pieces = Array.from({ length: Math.ceil(24 * part) }, (_, i) => Buffer.from(text.slice(i * 100).repeat(3)).subarray(0, 60000));
  const packed = await Promise.all(pieces.map((p) => promisify(zlib.gzip)(p, { level: 6 })));
  const back = await Promise.all(packed.map((p) => promisify(zlib.gunzip)(p)));
  console.log('gzip', round, sha(Buffer.concat(packed)), back.every((b, i) => b.equals(pieces[i])));
  const keys = await Promise.all(pieces.map((p, i) => promisify(crypto.pbkdf2)(p, 'salt' + i, 500, 64, 'sha512')));
  console.log('pbkdf2', round, sha(Buffer.concat(keys)));
  const names = await Promise.all(pieces.map(async (p, i) => {
    await fs.promises.writeFile('piece' + i, p);
    return sha(await fs.promises.readFile('piece' + i));
  }));
  console.log('files', round, sha(names.join()));
  const map = new Map();
  for (let i = 0; i < 60000 * part; i++) map.set(word(), { i, b: i % 500 ? null : Buffer.alloc(5000, i) });
  for (const key of [...map.keys()].slice(0, 50000 * part)) map.delete(key);
  console.log('map', round, map.size, sha([...map.keys()].sort().join()));
  const sorted = execFileSync('sort', ['-r'], { input: text.split(',').join('\n'), maxBuffer: 2 ** 26 });
  console.log('child', round, sha(sorted));
}

(async () => { for (let r = 0; r < size; r++) await oneRound(r); })();
