from django.urls import path

from . import views

urlpatterns = [
    path('', views.index, name='index'),
    path('form', views.form, name='form'),
    path('upload', views.upload, name='upload'),
    path('upload-form', views.upload_form, name='upload-form'),
    path('stream', views.stream),
    path('redirect', views.back),
    path('cookie', views.cookie),
    path('query', views.query),
    path('error', views.error),
    path('pid', views.pid),
    path('sleep', views.sleep),
]
