"""The files in deploy/, as docs/deployment.md tells people to use them.

Where nginx, Caddy or systemd are installed, their own programs read the files too, and nginx serves by its file;
elsewhere what matters in them is looked at.
"""

from __future__ import annotations

import configparser
import re
import shutil
import socket
import subprocess
from pathlib import Path

import httpx
import pytest

from tests.people import PASSWORD
from tests.sites import Site, wait_for
from webadmin.config import PROJECT

DEPLOY = PROJECT / "deploy"
NAME = "admin.example.org"


def text(name: str) -> str:
    return (DEPLOY / name).read_text(encoding="utf-8")


def test_what_the_page_quotes_stands_in_the_files():
    page = (PROJECT / "docs" / "deployment.md").read_text(encoding="utf-8")
    files = {"nginx": "nginx.conf", "caddy": "Caddyfile", "ini": "assistant-admin@.service"}
    quoted = re.findall(r"^```(\w+)\n(.*?)^```$", page, flags=re.MULTILINE | re.DOTALL)
    assert {kind for kind, _ in quoted} == files.keys()
    assert [part for kind, part in quoted if part not in text(files[kind])] == []
    assert [path.name for path in DEPLOY.iterdir() if f"deploy/{path.name}" not in page] == []


def test_the_service_may_write_its_data_alone():
    unit = configparser.RawConfigParser(strict=False, interpolation=None)
    unit.optionxform = str
    unit.read_string(text("assistant-admin@.service"))
    service = unit["Service"]
    assert service["User"] not in ("", "root")
    on = ("NoNewPrivileges", "PrivateTmp", "PrivateDevices", "ProtectHome", "ProtectKernelTunables", "RestrictSUIDSGID")
    assert [name for name in on if service[name] != "yes"] == []
    assert (service["ProtectSystem"], service["UMask"], service["CapabilityBoundingSet"]) == ("strict", "0077", "")
    tool = shutil.which("systemd-analyze")
    if tool and b"--offline" in subprocess.run([tool, "--help"], check=False, capture_output=True).stdout:
        found = DEPLOY / "assistant-admin@.service"
        command = [tool, "security", "--no-pager", "--offline=true", "--threshold=20", found]
        subprocess.run(command, check=True, capture_output=True)


def test_the_container_holds_the_program_and_nothing_else(tmp_path):
    """What the file copies is enough to serve, and none of it is data, a setting or history."""
    lines = text("Containerfile").splitlines()
    copied = [line.split()[1] for line in lines if line.startswith("COPY ")]
    assert sorted(copied) == ["requirements.txt", "static", "templates", "webadmin", "wsgi.py"]
    assert [line for line in lines if line.startswith("USER")] == ["USER nobody"]
    assert lines.index("USER nobody") < lines.index('CMD ["python", "wsgi.py"]')
    (tmp_path / "app").mkdir()
    subprocess.run(["cp", "-R", *copied, tmp_path / "app"], cwd=PROJECT, check=True)
    site = Site(tmp_path)

    def launch(command, **options):
        return subprocess.Popen(command, **options | {"cwd": tmp_path / "app"})

    try:
        url = site.serve(launch=launch).url
        assert httpx.get(f"{url}/healthz").json() == {"status": "ok"}
        assert "Setup code" in httpx.get(f"{url}/setup").text
        style = re.search(r'href="(/static/[^"]+css[^"]*)"', httpx.get(f"{url}/setup").text)[1]
        assert httpx.get(f"{url}{style}").status_code == 200
    finally:
        site.close()


def test_proxies_tell_who_asks_and_limit_nothing():
    nginx, caddy = text("nginx.conf"), text("Caddyfile")
    wanted = {
        "client_max_body_size 0", "proxy_set_header Host $http_host", "proxy_set_header X-Forwarded-For $remote_addr",
        "proxy_set_header X-Forwarded-Proto $scheme", "proxy_request_buffering off", "proxy_buffering off",
    }  # fmt: skip
    assert wanted <= {line.strip().rstrip(";") for line in nginx.splitlines()}
    assert nginx.count("{") == nginx.count("}")
    assert "request_body" not in caddy
    assert "header_up" not in caddy, "it sends what is needed by itself"
    if shutil.which("caddy"):
        command = ["caddy", "adapt", "--adapter", "caddyfile", "--config", DEPLOY / "Caddyfile"]
        subprocess.run(command, check=True, capture_output=True)


@pytest.fixture
def proxied(tmp_path):
    """A client that comes over TLS to nginx with our file, before two processes."""
    settings = {"TRUSTED_PROXIES": "127.0.0.1", "ALLOWED_HOSTS": NAME, "MAX_UPLOAD_SIZE": "1MiB"}
    site = Site(tmp_path, settings)
    site.flask("user", "add", "Ada", "--role", "admin", "--password-stdin", stdin=PASSWORD)
    servers = [site.serve(), site.serve()]
    port = _start_nginx(tmp_path, [server.url.removeprefix("http://") for server in servers])
    made = []

    def client(address: str) -> httpx.Client:
        transport = httpx.HTTPTransport(local_address=address, verify=False)
        made.append(httpx.Client(base_url=f"https://127.0.0.1:{port}", transport=transport, headers={"Host": NAME}))
        return made[-1]

    yield site, client
    for each in made:
        each.close()
    subprocess.run(["nginx", "-c", tmp_path / "nginx.conf", "-s", "quit"], check=True, capture_output=True)
    site.close()


def _start_nginx(folder: Path, servers: list[str]) -> int:
    key, certificate, port = folder / "key.pem", folder / "cert.pem", _free_port()
    made = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", f"/CN={NAME}"]
    subprocess.run([*made, "-keyout", key, "-out", certificate], check=True, capture_output=True)
    site = re.sub(r" *listen \[::\].*\n", "", text("nginx.conf"))
    site = site.replace("listen 80;", f"listen 127.0.0.1:{_free_port()};").replace(
        "listen 443", f"listen 127.0.0.1:{port}"
    )
    site = re.sub(r"server 127.0.0.1:8000;", "".join(f"server {each};" for each in servers), site)
    site = re.sub(r"/etc/letsencrypt\S+fullchain.pem", str(certificate), site)
    site = re.sub(r"/etc/letsencrypt\S+privkey.pem", str(key), site)
    paths = "".join(
        f"{kind}_temp_path {folder}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    around = f"pid {folder}/nginx.pid; error_log {folder}/error.log; events {{}}"
    (folder / "nginx.conf").write_text(f"{around} http {{ access_log off; {paths}\n{site}\n}}", encoding="utf-8")
    subprocess.run(["nginx", "-c", folder / "nginx.conf"], check=True, capture_output=True)
    wait_for((folder / "nginx.pid").exists)
    return port


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


if shutil.which("nginx") and shutil.which("openssl"):

    def test_people_come_through_nginx(proxied):
        site, client = proxied
        sni = {"sni_hostname": NAME}

        def attempt(who: httpx.Client, password: str, **headers: str) -> httpx.Response:
            page = who.get("/sign-in", extensions=sni).text
            fields = {
                "csrf_token": re.search(r'name="csrf_token" value="([^"]+)"', page)[1],
                "username": "Ada",
                "password": password,
            }
            return who.post("/sign-in", data=fields, headers=headers, extensions=sni)

        guesser, owner = client("127.0.0.99"), client("127.0.0.77")
        tries = [attempt(guesser, "guess", **{"X-Forwarded-For": f"198.51.100.{n}"}) for n in range(13)]
        assert [answer.status_code for answer in tries] == [422] * 12 + [429]
        assert attempt(owner, PASSWORD).status_code == 303
        assert {cookie.name: cookie.secure for cookie in owner.cookies.jar} == {
            "__Host-aa_session": True,
            "__Host-aa_device": True,
        }
        assert "127.0.0.77" in owner.get("/profile", extensions=sni).text
        refused = owner.post(
            "/api/assistants/backup/import",
            content=b"a" * 2_000_000,
            headers={"Authorization": f"Bearer {site.token()}"},
            extensions=sni,
        )
        assert (refused.status_code, refused.json()["error"]["code"]) == (413, "PAYLOAD_TOO_LARGE")
