// The calls of the API on Node's own HTTP server and SQLite, for benchmarks/api.py to measure ours beside: the same
// answers, the same database settings, a revision in the transaction of each write. `node node_server.mjs FILE TOKEN`
// serves a database that benchmarks/api.py made, and prints its port. Takes node:sqlite, else better-sqlite3.

import { createHash, randomBytes, timingSafeEqual } from "node:crypto";
import { createServer } from "node:http";
import { createRequire } from "node:module";

const [file, token] = process.argv.slice(2);

async function open(path) {
  let Database;
  try {
    Database = (await import("node:sqlite")).DatabaseSync;
  } catch {
    Database = createRequire(import.meta.url)("better-sqlite3");
  }
  const db = new Database(path);
  for (const setting of ["journal_mode=WAL", "synchronous=FULL", "busy_timeout=5000", "wal_autocheckpoint=1000"]) {
    db.exec(`PRAGMA ${setting}`);
  }
  return db;
}

const db = await open(file);
const LIMITS = { title: 200, desc: 1000, emoji: 512, prompt: 262144, author: 100 };
const STATUSES = ["draft", "pending", "published", "rejected"];
const MOVES = {
  draft: ["pending", "published"],
  pending: ["published", "rejected", "draft"],
  published: ["draft"],
  rejected: ["pending", "draft"],
};
const NAMES = {
  title: "title", desc: "desc", emoji: "emoji", prompt: "prompt", tags: "tags", is_public: "isPublic",
  status: "status", author: "author", created_at: "createdAt", updated_at: "updatedAt", reviewed_at: "reviewedAt",
  published_at: "publishedAt", review_note: "reviewNote", version: "version",
};
const COLUMNS = ["id", ...Object.keys(NAMES)];
const TOKEN_HASH = sha256(token);

const prepared = new Map();
function sql(text) {
  if (!prepared.has(text)) prepared.set(text, db.prepare(text));
  return prepared.get(text);
}

function sha256(text) {
  return createHash("sha256").update(text).digest("hex");
}

class Failure extends Error {
  constructor(status, code, message, details) {
    super(message);
    Object.assign(this, { status, code, details });
  }
}

function recordOf(row) {
  return {
    id: row.id, title: row.title, desc: row.desc, emoji: row.emoji, prompt: row.prompt,
    tags: JSON.parse(row.tags || "[]"), isPublic: row.is_public !== 0, status: row.status, author: row.author,
    createdAt: row.created_at, updatedAt: row.updated_at, reviewedAt: row.reviewed_at, publishedAt: row.published_at,
    reviewNote: row.review_note, version: row.version,
  };
}

function find(id) {
  const row = sql("SELECT * FROM assistants WHERE id = ?").get(id);
  if (!row) throw new Failure(404, "NOT_FOUND", `There is no assistant ${id}.`);
  return row;
}

function checkTexts(values) {
  for (const [name, limit] of Object.entries(LIMITS)) {
    const value = values[name];
    if (value === undefined) continue;
    const length = typeof value === "string" && value.trim() ? value.length : 0;
    const isBlank = !length && name !== "desc";
    if (typeof value !== "string" || isBlank || value.includes("\0") || (length > limit && graphemes(value) > limit)) {
      throw new Failure(400, "VALIDATION_ERROR", "A field cannot be used.", [{ field: name }]);
    }
  }
  const tags = values.tags ?? [];
  if (!Array.isArray(tags) || tags.length > 32 || tags.some((tag) => typeof tag !== "string" || graphemes(tag) > 100)) {
    throw new Failure(400, "VALIDATION_ERROR", "A field cannot be used.", [{ field: "tags" }]);
  }
}

function graphemes(text) {
  return [...new Intl.Segmenter().segment(text)].length;
}

function writing(work) {
  db.exec("BEGIN IMMEDIATE");
  try {
    const result = work();
    db.exec("COMMIT");
    return result;
  } catch (error) {
    db.exec("ROLLBACK");
    throw error;
  }
}

function writeHistory(record, fields, isDeletion = false) {
  sql(`INSERT INTO revision (assistant_id, version, created_at, actor, fields, is_deletion, record)
       VALUES (?, ?, ?, ?, ?, ?, ?)`)
    .run(record.id, record.version, now(), "bench", JSON.stringify(fields), isDeletion ? 1 : 0, JSON.stringify(record));
}

function now() {
  return new Date().toISOString();
}

function create(body) {
  for (const name of ["title", "desc", "emoji", "prompt"]) {
    if (body[name] == null) throw new Failure(400, "VALIDATION_ERROR", "A field is missing.", [{ field: name }]);
  }
  checkTexts(body);
  const row = {
    id: body.id ?? randomBytes(16).toString("base64url").slice(0, 21), title: body.title, desc: body.desc,
    emoji: body.emoji, prompt: body.prompt, tags: JSON.stringify(body.tags ?? []), is_public: body.isPublic ? 1 : 0,
    status: "draft", author: body.author ?? "bench", created_at: now(), updated_at: null, reviewed_at: null,
    published_at: null, review_note: null, version: 1,
  };
  return writing(() => {
    const marks = COLUMNS.map(() => "?").join(", ");
    sql(`INSERT INTO assistants (${COLUMNS.join(", ")}) VALUES (${marks})`).run(...COLUMNS.map((name) => row[name]));
    const record = recordOf(row);
    writeHistory(record, []);
    return record;
  });
}

function change(id, version, changesOf) {
  if (!Number.isInteger(version)) throw new Failure(400, "VALIDATION_ERROR", "The version is missing.");
  return writing(() => {
    const row = find(id);
    if (row.version !== version) {
      const details = { currentVersion: row.version, requestedVersion: version };
      throw new Failure(409, "VERSION_CONFLICT", "Someone else saved this first.", details);
    }
    const wanted = Object.entries(changesOf(row)).filter(([name, value]) => row[name] !== value);
    if (!wanted.length) return recordOf(row);
    const changes = { ...Object.fromEntries(wanted), updated_at: now(), version: version + 1 };
    const columns = Object.keys(changes);
    sql(`UPDATE assistants SET ${columns.map((name) => `${name} = ?`).join(", ")} WHERE id = ?`)
      .run(...Object.values(changes), id);
    const record = recordOf({ ...row, ...changes });
    writeHistory(record, columns);
    return record;
  });
}

function update(id, body) {
  return change(id, body.version, (row) => {
    const changes = {};
    for (const [name, key] of Object.entries(NAMES)) {
      if (!(key in body) || key === "version") continue;
      const value = key === "tags" ? JSON.stringify(body.tags ?? []) : key === "isPublic" ? +body.isPublic : body[key];
      if (!(key in LIMITS) && key !== "tags" && key !== "isPublic" && row[name] !== value) {
        throw new Failure(400, "VALIDATION_ERROR", "The server sets this field.", [{ field: key }]);
      }
      changes[name] = value;
    }
    checkTexts(body);
    return changes;
  });
}

function setStatus(id, { status, reviewNote, version }) {
  return change(id, version, (row) => {
    if (!STATUSES.includes(status) || (status !== row.status && !MOVES[row.status].includes(status))) {
      throw new Failure(400, "VALIDATION_ERROR", "There is no such move.", [{ field: "status" }]);
    }
    const changes = { status, review_note: reviewNote ?? row.review_note };
    if (status === "published" || status === "rejected") changes.reviewed_at = now();
    if (status === "published") changes.published_at = now();
    return changes;
  });
}

function remove(id) {
  return writing(() => {
    const record = recordOf(find(id));
    sql("DELETE FROM assistants WHERE id = ?").run(id);
    writeHistory(record, ["deleted"], true);
    sql("INSERT INTO trash (assistant_id, title, deleted_at, record) VALUES (?, ?, ?, ?)")
      .run(id, record.title, now(), JSON.stringify(record));
    return { id };
  });
}

function list(query) {
  const page = +(query.get("page") ?? 1);
  const size = +(query.get("pageSize") ?? 20);
  const conditions = ["id IS NOT NULL"];
  const values = [];
  for (const name of ["status", "author"]) {
    if (query.get(name)) {
      conditions.push(`${name} = ?`);
      values.push(query.get(name));
    }
  }
  if (query.get("search")) {
    const needle = query.get("search").replace(/[A-Z]/g, (letter) => letter.toLowerCase());
    conditions.push("(instr(lower(title), ?) > 0 OR instr(lower(desc), ?) > 0)");
    values.push(needle, needle);
  }
  const where = conditions.join(" AND ");
  const total = sql(`SELECT count(*) AS n FROM assistants WHERE ${where}`).get(...values).n;
  const rows = query.get("cursor") ? readOn(where, values, query.get("cursor"), size + 1) : sql(
    `SELECT * FROM assistants WHERE ${where} ORDER BY created_at DESC, id LIMIT ? OFFSET ?`,
  ).all(...values, size + 1, (page - 1) * size);
  const shown = rows.slice(0, size);
  const last = rows.length > size ? shown.at(-1) : null;
  const nextCursor = last && Buffer.from(JSON.stringify([last.created_at, last.id])).toString("base64url");
  return { data: shown.map(recordOf), total, page, pageSize: size, nextCursor };
}

function readOn(where, values, cursor, most) {
  const [key, id] = JSON.parse(Buffer.from(cursor, "base64url"));
  const equal = sql(`SELECT * FROM assistants WHERE ${where} AND created_at = ? AND id > ? ORDER BY id LIMIT ?`)
    .all(...values, key, id, most);
  if (equal.length === most) return equal;
  return equal.concat(sql(`SELECT * FROM assistants WHERE ${where} AND created_at < ?
    ORDER BY created_at DESC, id LIMIT ?`).all(...values, key, most - equal.length));
}

function exportAll() {
  const lines = [];
  for (const row of sql("SELECT * FROM assistants ORDER BY id").iterate()) lines.push(JSON.stringify(recordOf(row)));
  const metadata = JSON.stringify({ version: "1.0.0", timestamp: now(), recordCount: lines.length });
  const head = `{"metadata": ${metadata},\n"assistants": [\n${lines.join(",\n")}\n],\n`;
  return `${head}"integrity": ${JSON.stringify({ count: lines.length, sha256: sha256(head) })}}\n`;
}

function route(method, path, query, body) {
  if (path === "/api/assistants") {
    if (method === "GET") return [200, list(query)];
    if (method === "POST") return [201, create(body)];
  }
  const [, id, status] = /^\/api\/assistants\/([^/]+)(\/status)?$/.exec(path) ?? [];
  if (id && status && method === "PATCH") return [200, setStatus(id, body)];
  if (id && !status && method === "GET") return [200, recordOf(find(id))];
  if (id && !status && method === "PUT") return [200, update(id, body)];
  if (id && !status && method === "DELETE") return [200, remove(id)];
  throw new Failure(404, "NOT_FOUND", "Not found.");
}

function answer(request, response, text) {
  const { pathname, searchParams } = new URL(request.url, "http://localhost");
  const headers = { "Content-Type": "application/json", "Cache-Control": "no-store" };
  let status = 500;
  let content = "";
  try {
    const sent = Buffer.from(sha256((request.headers.authorization ?? "").replace(/^Bearer /, "")));
    if (!timingSafeEqual(sent, Buffer.from(TOKEN_HASH))) throw new Failure(401, "UNAUTHORIZED", "Sign in.");
    if (pathname === "/api/assistants/backup/export") {
      status = 200;
      content = exportAll();
    } else {
      const [code, data] = route(request.method, pathname, searchParams, text ? JSON.parse(text) : undefined);
      status = code;
      content = JSON.stringify({ success: true, data });
      if (request.method === "GET") headers.ETag = `"${sha256(content)}"`;
    }
  } catch (error) {
    status = error.status ?? 500;
    const { code = "INTERNAL_ERROR", message, details } = error;
    content = JSON.stringify({ success: false, error: { code, message, details } });
  }
  headers["Content-Length"] = Buffer.byteLength(content);
  response.writeHead(status, headers).end(content);
}

const server = createServer((request, response) => {
  const parts = [];
  request.on("data", (part) => parts.push(part));
  request.on("end", () => answer(request, response, Buffer.concat(parts).toString()));
});
server.listen(0, "127.0.0.1", () => console.log(server.address().port));
