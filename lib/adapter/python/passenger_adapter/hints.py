"""What an application is told when it is loaded, since its users would only see
that something is missing.
"""
import sys


def django():
    """Hint at a Django project whose style sheets no server can find."""
    conf = sys.modules.get("django.conf")
    settings = getattr(conf, "settings", None)
    try:
        if settings is None or not settings.configured or settings.STATIC_ROOT:
            return
        if "django.contrib.staticfiles" not in settings.INSTALLED_APPS or "://" in (settings.STATIC_URL or ""):
            return
        if any("whitenoise" in name.lower() for name in settings.MIDDLEWARE):
            return
    except Exception:
        return  # a project of a kind that we do not know
    sys.stderr.write('passenger: Django\'s STATIC_ROOT is not set, so its style sheets and scripts are not served; set it to '
                     'BASE_DIR / "public/static" and run "manage.py collectstatic", as passenger-servers(7) says\n')
