import hashlib
import os
import time
from urllib.parse import unquote_to_bytes

from django.http import HttpResponse, HttpResponseBadRequest, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST, require_safe

from .forms import NameForm


@require_safe
def index(request):
    return render(request, 'pages/index.html')


def form(request):
    if request.method != 'POST':
        return render(request, 'pages/form.html', {'form': NameForm()})
    filled = NameForm(request.POST)
    if not filled.is_valid():
        return HttpResponseBadRequest('name is missing', content_type='text/plain')
    return text('name=' + filled.cleaned_data['name'])


# For programs, which have no page to take a token from.
@csrf_exempt
@require_POST
def upload(request):
    digest = hashlib.sha256()
    for piece in iter(lambda: request.read(65536), b''):
        digest.update(piece)
    return text(digest.hexdigest())


@csrf_exempt
@require_POST
def upload_form(request):
    digest = hashlib.sha256()
    for piece in request.FILES['file'].chunks():
        digest.update(piece)
    return text(digest.hexdigest())


@require_safe
def stream(request):
    pieces = (bytes([i % 256]) * 65536 for i in range(320))
    return StreamingHttpResponse(pieces, content_type='application/octet-stream')


def back(request):
    return redirect('index')


def cookie(request):
    response = text('seen=' + request.COOKIES.get('seen', 'none'))
    response.set_cookie('seen', 'yes', path='/')
    return response


def query(request):
    # As bytes: what was sent need not be UTF-8.
    pairs = (pair.partition('=') for pair in request.META['QUERY_STRING'].split('&'))
    value = next((value for name, _, value in pairs if name == 'q'), '')
    return text(b'q=' + unquote_to_bytes(value.replace('+', ' ').encode('latin-1')))


def error(request):
    raise RuntimeError('deliberate failure')


def pid(request):
    return text(str(os.getpid()))


def sleep(request):
    seconds = request.GET['seconds']
    time.sleep(float(seconds))
    return text('slept ' + seconds)


def text(body):
    return HttpResponse(body, content_type='text/plain; charset=utf-8')
