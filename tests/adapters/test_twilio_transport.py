"""The deadline transport: TLS, and connections that a freeze killed."""

import ssl
import time
from contextlib import closing
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from otp_feedback.adapters.twilio.client import TwilioClient, TwilioCredentials
from otp_feedback.adapters.twilio.transport import IDLE_S, DeadlineTransport
from otp_feedback.usecases.ports import FeedbackDeferred
from tests.adapters.scripted_server import ScriptedServer, answer, hang, trickle

FAR_TOO_LONG_S = 2.5
"""The servers here keep a client for longer, as long as it lets them."""


def post(transport: DeadlineTransport, url: str, seconds: float = 2) -> httpx.Response:
    with httpx.Client(transport=transport, trust_env=False) as client:
        return client.post(url, data={"a": "b"}, extensions={"deadline": time.monotonic() + seconds})


class WallClock:
    now = 1_700_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize(("passed_s", "connections"), [(0, 1), (IDLE_S - 1, 1), (IDLE_S + 1, 2), (3600, 2), (-3600, 2)])
def test_idle_connections_expire_by_wall_clock(passed_s, connections):
    clock = WallClock()
    with ScriptedServer([answer(200)]) as server, closing(DeadlineTransport(None, clock)) as transport:
        for _ in range(2):
            request = httpx.Request("POST", server.url, extensions={"deadline": time.monotonic() + 2})
            assert transport.handle_request(request).status_code == 200
            clock.now += passed_s

        assert len(server.requests) == 2
        assert server.connections == connections


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "test")])
    now = datetime.now(UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(
            x509.KeyUsage(
                digital_signature=True,
                key_cert_sign=True,
                content_commitment=False,
                key_encipherment=False,
                data_encipherment=False,
                key_agreement=False,
                crl_sign=False,
                encipher_only=False,
                decipher_only=False,
            ),
            critical=True,
        )
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "server.pem"
    path.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + signed.public_bytes(serialization.Encoding.PEM)
    )
    return path


@pytest.fixture
def server_tls(certificate) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


def test_tls_with_a_trusted_certificate(certificate, server_tls):
    trusting = ssl.create_default_context(cafile=str(certificate))
    with ScriptedServer([answer(200, b"fine")], tls=server_tls) as server:
        assert post(DeadlineTransport(trusting), server.url).content == b"fine"
        assert server.requests[0].form == {"a": "b"}


@pytest.mark.parametrize("step", [hang, trickle(b"", b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 0.2)])
def test_the_deadline_holds_over_tls(certificate, server_tls, step):
    trusting = ssl.create_default_context(cafile=str(certificate))
    with ScriptedServer([step], tls=server_tls) as server:
        start = time.monotonic()
        with pytest.raises(httpx.TimeoutException):
            post(DeadlineTransport(trusting), server.url, 0.5)
        assert time.monotonic() - start <= FAR_TOO_LONG_S


def test_a_certificate_that_nobody_vouches_for_is_refused(server_tls):
    credentials = TwilioCredentials("AC" + "1" * 32, "user", "password")
    with ScriptedServer([answer(200)], tls=server_tls) as server:
        with closing(TwilioClient(lambda: credentials, server.url)) as client:
            assert client.post_feedback("SM" + "0" * 32, 2) == FeedbackDeferred("unreachable")
        assert server.requests == []


def test_a_request_larger_than_the_buffers_ends_with_the_deadline():
    with ScriptedServer([hang], deaf=True) as server, closing(DeadlineTransport(None)) as transport:
        request = httpx.Request(
            "POST", server.url, content=b"x" * 20_000_000, extensions={"deadline": time.monotonic() + 0.5}
        )
        start = time.monotonic()
        with pytest.raises(httpx.TimeoutException):
            transport.handle_request(request)
        assert time.monotonic() - start <= FAR_TOO_LONG_S
