// What: worker threads, each with a heap of its own, that share and transfer buffers; more of them one after another.
'use strict';
const crypto = require('crypto');
const { Worker, isMainThread, parentPort, workerData } = require('worker_threads');

const size = Number(isMainThread ? process.argv[2] : workerData.size); // fours of rounds, or a part of one

function crunch(number, buffer) {
  const rows = [];
  for (let i = 0; i < 10000 * Math.min(1, size); i++) rows.push({ k: (i * number) % 9973, s: 'row' + i * number });
  rows.sort((a, b) => a.k - b.k || (a.s < b.s ? -1 : 1));
  const view = new Uint8Array(buffer);
  for (let i = 0; i < view.length; i += 64) view[i] ^= number;
  return crypto.createHash('sha1').update(JSON.stringify(rows)).update(view).digest('hex');
}

function start(number) {
  const buffer = new Uint8Array(1000 * number).fill(number).buffer;
  return new Promise((resolve, reject) => {
    const worker = new Worker(__filename, { workerData: { number, buffer, size }, transferList: [buffer] });
    let answer;
    worker.once('message', (m) => { answer = m; });
    worker.once('error', reject);
    worker.once('exit', (code) => (code === 0 ? resolve(answer) : reject(new Error('worker ended with ' + code))));
  });
}

async function main() {
  for (let round = 0; round < 4 * size; round++) {
    const answers = await Promise.all([1, 2, 3, 4].map((n) => start(n + 4 * round)));
    for (const { digest, buffer } of answers) console.log(digest, buffer.byteLength);
  }
}

if (isMainThread) {
  main();
} else {
  const { number, buffer } = workerData;
  const digest = crunch(number, buffer);
  parentPort.postMessage({ digest, buffer }, [buffer]);
}
