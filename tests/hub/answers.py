"""What the local Hub answers to each request: repositories, preupload, LFS, commits, files."""

import base64
import hashlib
import json
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, unquote, urlsplit

if TYPE_CHECKING:
    from tests.hub.server import LocalHub, Repo

DATE = "2026-01-01T00:00:00.000Z"
LFS_SUFFIXES = (".safetensors", ".parquet", ".png")


class Refused(Exception):
    def __init__(self, status: int, message: str, code: str = "", **more: str) -> None:
        super().__init__(message)
        self.status, self.message, self.code, self.more = status, message, code, more


def answer(
    hub: "LocalHub", method: str, target: str, user: tuple[str, str] | None, body: bytes
) -> Any:
    """What one request gets: JSON, or headers and bytes."""
    path, query = unquote(urlsplit(target).path), parse_qs(urlsplit(target).query)
    if path == "/api/whoami-v2":
        if user is None:
            raise Refused(401, "Invalid credentials in Authorization header")
        return {"name": user[0], "auth": {"type": "access_token", "accessToken": {"role": user[1]}}}
    if path == "/api/validate-yaml":
        return {"errors": [], "warnings": []}
    if path == "/api/repos/create":
        return _create(hub, user, json.loads(body))
    if found := re.fullmatch(r"/lfs/(\w+)", path):
        if hashlib.sha256(body).hexdigest() != found[1]:
            raise Refused(400, "the content is not what was announced")
        hub.lfs[found[1]] = body
        return {}
    if found := re.fullmatch(r"/(datasets/)?([^/]+/[^/]+)\.git/info/lfs/objects/batch", path):
        _writable(hub, "dataset" if found[1] else "model", found[2], user)
        return _batch(hub, json.loads(body))
    if found := re.fullmatch(r"/(datasets/)?([^/]+/[^/]+)/resolve/(refs/pr/\d+|[^/]+)/(.+)", path):
        repo = _visible(hub, "dataset" if found[1] else "model", found[2], user)
        return _resolve(repo, found[3], found[4])
    if found := re.fullmatch(r"/api/(model|dataset)s/([^/]+/[^/]+)(?:/(.+))?", path):
        kind, name, rest = found[1], found[2], found[3] or ""
        return _api(hub, method, kind, name, rest, query, user, body)
    raise Refused(404, f"no such page {path}")


def _create(hub: "LocalHub", user: tuple[str, str] | None, asked: dict[str, Any]) -> Any:
    owner = asked["organization"] or (user[0] if user else "")
    kind, name = asked.get("type", "model"), f"{owner}/{asked['name']}"
    if user is None or user[1] != "write" or owner != user[0]:
        raise Refused(403, f'You don\'t have the rights to create a {kind} under "{owner}"')
    url = f"{hub.url}/{'datasets/' if kind == 'dataset' else ''}{name}"
    if (kind, name) in hub.repos:
        raise Refused(409, "You already created this repo", url=url)
    hub.make(name, kind, is_private=asked.get("visibility") == "private")
    return {"url": url}


def _batch(hub: "LocalHub", asked: dict[str, Any]) -> Any:
    return {
        "transfer": "basic",
        "objects": [
            one
            if one["oid"] in hub.lfs
            else one | {"actions": {"upload": {"href": f"{hub.url}/lfs/{one['oid']}"}}}
            for one in asked["objects"]
        ],
    }


def _resolve(repo: "Repo", revision: str, path: str) -> tuple[dict[str, str], bytes]:
    commit = repo.at(revision)
    if commit is None:
        raise Refused(404, "Invalid rev id", "RevisionNotFound")
    if path not in commit.files:
        raise Refused(404, "Entry not found", "EntryNotFound")
    content = commit.files[path]
    etag = _sha256(content) if path.endswith(LFS_SUFFIXES) else _git_sha1(content)
    headers = {
        "X-Repo-Commit": commit.oid,
        "ETag": f'"{etag}"',
        "Content-Length": str(len(content)),
    }
    return headers, content


def _api(
    hub: "LocalHub",
    method: str,
    kind: str,
    name: str,
    rest: str,
    query: dict[str, list[str]],
    user: tuple[str, str] | None,
    body: bytes,
) -> Any:
    """Everything under `/api/models/OWNER/NAME`."""
    if rest.startswith("preupload/"):
        repo = _writable(hub, kind, name, user)
        return _preupload(repo, rest.removeprefix("preupload/"), json.loads(body))
    if rest.startswith("commit/"):
        repo = _writable(hub, kind, name, user)
        return _commit(hub, repo, body, is_pr=query.get("create_pr") == ["1"])
    repo = _visible(hub, kind, name, user)
    if rest == "discussions":
        return {"start": 0, "count": len(repo.titles), "discussions": _discussions(repo)}
    revision = rest.partition("/")[2] or "main"
    commit = repo.at(revision)
    if commit is None:
        raise Refused(404, "Invalid rev id", "RevisionNotFound")
    if rest.startswith("tree/"):
        return [_entry(path, content) for path, content in sorted(commit.files.items())]
    siblings = [{"rfilename": path} for path in sorted(commit.files)]
    return {
        "_id": "1",
        "id": name,
        "sha": commit.oid,
        "private": repo.is_private,
        "tags": [],
        "downloads": 0,
        "likes": 0,
        "siblings": siblings,
    }


def _preupload(repo: "Repo", revision: str, asked: dict[str, Any]) -> Any:
    there = repo.files(revision)
    return {
        "files": [
            {
                "path": one["path"],
                "uploadMode": "lfs" if one["path"].endswith(LFS_SUFFIXES) else "regular",
                "shouldIgnore": False,
                "oid": _oid(one["path"], there[one["path"]]) if one["path"] in there else None,
            }
            for one in asked["files"]
        ]
    }


def _commit(hub: "LocalHub", repo: "Repo", body: bytes, *, is_pr: bool) -> Any:
    lines = [json.loads(line) for line in body.splitlines()]
    header = lines[0]["value"]
    if header.get("parentCommit") not in (None, repo.refs["main"]):
        raise Refused(412, "A commit has happened since. Please refresh and try again.")
    files = repo.files()
    for line in lines[1:]:
        value = line["value"]
        if line["key"] == "file":
            files[value["path"]] = base64.b64decode(value["content"])
        elif line["key"] == "lfsFile":
            if value["oid"] not in hub.lfs:
                raise Refused(400, f"LFS object {value['oid']} was not uploaded")
            files[value["path"]] = hub.lfs[value["oid"]]
        elif line["key"] == "deletedFile":
            files.pop(value["path"])
    branch = f"refs/pr/{len(repo.titles) + 1}" if is_pr else "main"
    if is_pr:
        repo.titles[branch] = header["summary"]
    oid = repo.add(branch, header["summary"], files)
    found = {"commitOid": oid, "commitUrl": f"{hub.url}/{repo.name}/commit/{oid}"}
    if is_pr:
        found["pullRequestUrl"] = f"{hub.url}/{repo.name}/discussions/{branch.rpartition('/')[2]}"
    return found


def _discussions(repo: "Repo") -> list[dict[str, Any]]:
    return [
        {
            "title": title,
            "num": int(branch.rpartition("/")[2]),
            "author": {"name": "ada"},
            "createdAt": DATE,
            "status": "open",
            "repo": {"name": repo.name, "type": repo.kind},
            "isPullRequest": True,
        }
        for branch, title in repo.titles.items()
    ]


def _visible(hub: "LocalHub", kind: str, name: str, user: tuple[str, str] | None) -> "Repo":
    repo = hub.repos.get((kind, name))
    if repo is None or (repo.is_private and (user is None or user[0] != name.partition("/")[0])):
        raise Refused(404 if user else 401, "Repository not found", "RepoNotFound")
    return repo


def _writable(hub: "LocalHub", kind: str, name: str, user: tuple[str, str] | None) -> "Repo":
    repo = _visible(hub, kind, name, user)
    if user is None or user[1] != "write" or user[0] != name.partition("/")[0]:
        raise Refused(403, "Forbidden: pass a token with write access")
    return repo


def _entry(path: str, content: bytes) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "type": "file",
        "path": path,
        "size": len(content),
        "oid": _git_sha1(content),
    }
    if path.endswith(LFS_SUFFIXES):
        entry["lfs"] = {"oid": _sha256(content), "size": len(content), "pointerSize": 130}
    return entry


def _oid(path: str, content: bytes) -> str:
    return _sha256(content) if path.endswith(LFS_SUFFIXES) else _git_sha1(content)


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _git_sha1(content: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()
