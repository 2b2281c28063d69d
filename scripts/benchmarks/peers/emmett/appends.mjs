// emmett-postgresql as its documentation shows it: `appendToStream` with the version that is expected.
// It speaks the lines of ../lines.py. Each lane has a stream of its own and waits for its append.
import { createInterface } from "node:readline";
import { getPostgreSQLEventStore } from "@event-driven-io/emmett-postgresql";

const { way, events, lanes } = JSON.parse(process.argv[2]);
const store = getPostgreSQLEventStore(process.env.PEER_DATABASE_URL, {
  schema: { autoMigration: way === "prepare" ? "CreateOrUpdate" : "None" },
});

function transfer() {
  const data = {
    debit: crypto.randomUUID(),
    credit: crypto.randomUUID(),
    amount: { asset: "CREDIT", decimals: 6, units: "1000" },
    reference: "call",
    transferredAt: new Date().toISOString(),
  };
  return { type: "Transferred", data };
}

// A stream is new after a while, as an account's would be one of many.
async function lane(until) {
  let done = 0;
  while (performance.now() < until) {
    const stream = `account-${crypto.randomUUID()}`;
    let version = 0n;
    for (let turn = 0; turn < 20 && performance.now() < until; turn += 1) {
      const batch = Array.from({ length: events }, transfer);
      const appended = await store.appendToStream(stream, batch, {
        expectedStreamVersion: turn === 0 ? "STREAM_DOES_NOT_EXIST" : version,
      });
      version = appended.nextExpectedStreamVersion;
      done += events;
    }
  }
  return done;
}

async function answerLines() {
  console.log(JSON.stringify({ ready: true }));
  for await (const line of createInterface({ input: process.stdin })) {
    const began = performance.now();
    const until = began + JSON.parse(line).seconds * 1000;
    const counts = await Promise.all(Array.from({ length: lanes }, () => lane(until)));
    const done = counts.reduce((sum, count) => sum + count, 0);
    console.log(JSON.stringify({ done, seconds: (performance.now() - began) / 1000 }));
  }
}

if (way === "prepare") {
  await store.schema.migrate();
} else {
  await answerLines();
}
await store.close();
