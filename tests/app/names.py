"""Typical names of pictures, in the code pages in which Windows writes them in zips."""

NAMES = {
    "Japanese": (
        "cp932",
        """
        猫/写真 表.png | 犬/ソ.png | 新しいフォルダー/IMG_0001.JPG |
        スクリーンショット 2024-05-01.png | 夏休み/海.jpg | 家族写真.jpg | 無題.png | 桜.jpg |
        富士山/頂上.jpg | 運動会2019/リレー.jpg | 東京/浅草寺.jpg | 京都旅行/金閣寺 (1).jpg |
        ラーメン.png | ポケモン/ピカチュウ.png | 表.png | 予定表.png | 能力/構想.png |
        ねこ.jpg | いぬ/しば.jpg | 犬.png | 鳥/雀.jpg | りんご.jpg | データ/学習用/1.png |
        検証/0001.png | 正常/a.png | 不良/b.png | 良品/c.png | 不良品/d.png | 画像/図1.png |
        名称未設定.png | コピー.png | 結婚式/披露宴.jpg | 卒業式.jpg | ヨーロッパ/パリ.jpg |
        北海道/札幌.jpg | 花火大会.jpg | 手書き数字/３.png | 顔.jpg | 車/トヨタ.jpg |
        電車/新幹線.jpg | 食べ物/寿司.jpg | お正月/初詣.jpg | 教師データ/猫.png | 竹.jpg |
        机.png | 山田太郎.jpg | 十.png | 申請書.png | ﾃｽﾄ.png | 日本語/テスト.png | カメラ.jpg |
        ソフト.png | 構造.png | 噂.png | 貼り付け.png | 暴力.png | 十字架.jpg |
        医療/胸部レントゲン.png | 傷あり/001.png | 傷なし/002.png | 赤い車.jpg | トマト.png |
        きゅうり.png | 東.png | 西.png | 山.jpg | 川.jpg | 林檎.png | 蜜柑/みかん.jpg |
        鈴木さん.jpg | 同窓会2018.jpg | デスクトップ/壁紙.png | ゴミ箱.png | 領収書.jpg |
        見積書.png | 部品A.png | 部品B/不具合.png | アニメ/ドラえもん.jpg | 飼い犬ポチ.jpg |
        水族館/イルカ.jpg | ハワイ旅行.jpg | 朝焼け.jpg | 緑.png | 白黒.png | 横顔.jpg |
        １番.png | 第2回/集合写真.jpg | ソ連.png | 蛇.jpg | 欺瞞.png | 圭.png
        """,
    ),
    "Chinese": (
        "gbk",
        """
        猫/副本.png | 狗/朗读.png | 新建文件夹/图片1.png | 微信图片_20240501.jpg | 截图.png |
        狗.jpg | 照片/家人.jpg | 北京/故宫.jpg | 上海/外滩.jpg | 长城.jpg | 未命名.png |
        测试集/正常/1.png | 训练集/异常/2.png | 苹果/红苹果.jpg | 香蕉.jpg | 数据/鸟类.png |
        汽车/大众.jpg | 飞机.jpg | 婚礼.jpg | 毕业照.jpg | 全家福.jpg | 西湖/断桥.jpg | 花.jpg |
        花/牡丹.jpg | 风景/山水.jpg | 美食/火锅.jpg | 缺陷/划痕.png | 合格/a.png |
        不合格/b.png | 屏幕截图 2023.png | 图像/人脸.png | 手机拍摄/IMG_1.jpg | 老虎.png |
        熊猫/吃竹子.jpg | 副本.png | 新图.png | 春节/饺子.jpg | 旅游/云南/大理.jpg |
        同学聚会.jpg | 我的照片.jpg | 身份证.jpg | 联通.png | 小李.jpg | 张三.jpg | 王伟/1.jpg |
        鱼.png | 树木.png | 车.png | 爱.jpg | 中文/测试.png | 相机.jpg | 桌面/壁纸.png |
        回收站.png | 发票.jpg | 报价单.png | 零件甲.png | 红色汽车.jpg | 西红柿.png | 黄瓜.png |
        东.png | 西.png | 河流.jpg | 橘子/橘子1.jpg | 李先生.jpg | 医学/胸片.png |
        有划伤/001.png | 无划伤/002.png | 动漫/孙悟空.jpg | 海洋馆/海豚.jpg | 日出.jpg |
        绿色.png | 黑白.png | 侧脸.jpg | 第2组/合影.jpg | 蛇.jpg | 大象.jpg | 蝴蝶.png |
        自行车.jpg | 钢琴.jpg | 兰花.jpg | 雨后彩虹.png | 烟花.jpg | 小区门口.jpg |
        监控截图.png | 车牌识别/京A.png | 陈.png | 肿瘤/良性/1.png | 肿瘤/恶性/2.png
        """,
    ),
    "Korean": (
        "cp949",
        """
        고양이/사진.png | 개/강아지.jpg | 새 폴더/그림1.png | 제목 없음.png |
        스크린샷 2024.png | 가족사진.jpg | 서울/남산.jpg | 부산/해운대.jpg | 결혼식.jpg |
        졸업식.jpg | 여행/제주도/바다.jpg | 사과.jpg | 바나나.jpg | 학습/정상/1.png |
        검증/불량/2.png | 데이터/자동차.png | 김치찌개.jpg | 음식/비빔밥.jpg | 벚꽃.jpg |
        사본.png | 나무.jpg | 꽃/장미.jpg | 한글.png | 우리집.jpg | 카카오톡_사진.jpg |
        얼굴.jpg | 홍길동.jpg | 설날/떡국.jpg | 산.jpg | 강.jpg | 하늘.jpg | 비행기.png |
        이미지/시험.png | 눈사람.jpg | 한국어/시험.png | 카메라.jpg | 바탕화면/배경.png |
        휴지통.png | 영수증.jpg | 견적서.png | 부품.png | 빨간 자동차.jpg | 토마토.png |
        오이.png | 동쪽.png | 강물.jpg | 귤.jpg | 김철수.jpg | 의료/흉부.png | 흠집/001.png |
        양품/002.png | 뽀로로.jpg | 돌고래.jpg | 일출.jpg | 초록.png | 흑백.png | 단체사진.jpg |
        뱀.jpg | 코끼리.jpg | 나비.png | 자전거.jpg
        """,
    ),
    "Taiwanese": (
        "cp950",
        """
        貓/照片.png | 狗/小狗.jpg | 新增資料夾/圖片1.png | 未命名.png | 螢幕擷取畫面.png |
        台北/故宮.jpg | 高雄/港口.jpg | 婚禮.jpg | 畢業典禮.jpg | 蘋果.jpg | 香蕉.jpg |
        訓練/正常/1.png | 測試/異常/2.png | 資料/汽車.png | 夜市/小吃.jpg | 全家福.jpg |
        風景/阿里山.jpg | 花.jpg | 花/櫻花.jpg | 複製.png | 鳥類.png | 人臉.jpg | 王小明.jpg |
        春節/餃子.jpg | 旅遊/日月潭.jpg | 我的照片.jpg | 樹.jpg | 天空.jpg | 飛機.png |
        影像/測驗.png | 功.png | 許.png | 中文/測試.png | 相機.jpg | 桌面/桌布.png |
        資源回收筒.png | 發票.jpg | 報價單.png | 零件.png | 紅色汽車.jpg | 番茄.png |
        小黃瓜.png | 東.png | 河流.jpg | 橘子.jpg | 李先生.jpg | 醫學/胸腔.png | 刮傷/001.png |
        良品/002.png | 海豚.jpg | 日出.jpg | 綠色.png | 黑白.png | 合照.jpg | 蛇.jpg |
        大象.jpg | 蝴蝶.png | 腳踏車.jpg
        """,
    ),
    "Russian": (
        "cp866",
        """
        кот/фото.png | пёс/ёж.png | Новая папка/Рисунок1.png | Снимок экрана.png |
        кошки/Мурка.jpg | собаки/Шарик.jpg | Безымянный.png | Москва/Кремль.jpg |
        Санкт-Петербург/Эрмитаж.jpg | лето 2019/море.jpg | свадьба.jpg | дети.jpg | яблоки.jpg |
        обучение/норма/1.png | тест/дефект/2.png | птицы.png | машина.jpg |
        Новый год/ёлка (1).jpg | Я.jpg | дом.jpg | Фото 001.jpg | ЩЁТКА.png | дача.jpg |
        горы.jpg | лес/гриб.jpg | копия.png | Изображение.jpg | паспорт.jpg | Аня и Петя.jpg |
        рыба.png | КОТ.PNG | мяч.png | ПЁС/ФОТО.JPG | русский/тест.png | камера.jpg |
        рабочий стол/обои.png | корзина.png | счёт.jpg | деталь А.png | красная машина.jpg |
        помидор.png | огурец.png | восток.png | гора.jpg | река.jpg | мандарин.jpg |
        Иванов.jpg | снимок/лёгкие.png | брак/001.png | годные/002.png |
        мультфильм/Чебурашка.jpg | дельфин.jpg | рассвет.jpg | зелёный.png | чёрно-белое.png |
        группа 2/все вместе.jpg | змея.jpg | слон.jpg | бабочка.png | велосипед.jpg |
        рояль.jpg | орхидея.jpg | салют.jpg | подъезд.jpg | ж.png | е.png | КАРТА.PNG |
        Щука.png | юг.png | эхо.png
        """,
    ),
    "German": (
        "cp850",
        """
        Bär/Köln (1).png | Hund/größe.png | Vögel/Möwe.jpg | Äpfel/roter Apfel.jpg |
        Österreich/Wien.jpg | Übung.png | München.jpg | Straße.jpg | Müller.jpg | Füße.jpg |
        Käse.png | schöner Tag.jpg | Größe.png | Fußball/Spiel.jpg | Hühner.png | über uns.png |
        Löwe.png | Gebäude/Tür.jpg | Schlüssel.jpg | Grüße.jpg | Bäume/Ahorn.jpg | Häuser.jpg |
        Ärger.png | öl.png | Äpfel.png | ÜBERSICHT.PNG | Maß.png | Prüfung/gut.png | Käfer.jpg |
        Frühling.jpg | Säge.png | Nürnberg/Lebkuchen.jpg | Geräte/Föhn.jpg | fünf.png |
        zwölf.png | Bürste.png | Löffel.jpg | weiß.png | heiß/Tee.jpg | Mädchen.jpg |
        Jürgen.jpg | Kühe.jpg | Blätter/Eiche.jpg | Düsseldorf.jpg | ä.png | ö.png |
        Geschäft.png | fehlerhaft/Stück 1.png | Öfen.jpg | Überblick.png
        """,
    ),
    "French": (
        "cp850",
        """
        été/plage.jpg | Noël/forêt.jpg | école.jpg | fenêtre.png | garçon.jpg | Élève.png |
        château.jpg | chaîne/pièce.jpg | hôtel.jpg | Île.jpg | À la mer.jpg | mère et père.jpg |
        fête.jpg | crêpe.jpg | Ça va.png | français/goût.png | répertoire/données.png |
        validé.png | éléphant.jpg | Copie de été.png | vidéo.png | forêt.png |
        Nouveau dossier/zèbre.png | âne.jpg | août 2020/océan.jpg | défaut/pièce.png | clé.jpg |
        vélo.jpg | bébé.jpg | rivière.jpg | tête.jpg | île.jpg | garçons et filles.jpg |
        Été 2020.jpg | école/leçon.jpg | zéro.png | où.png | hérisson.jpg | médecin.jpg |
        Hélène.jpg | Besançon.jpg | fraîche.png | gâteau.jpg | écran.png | modèle.png |
        à vélo.jpg
        """,
    ),
    "Spanish": (
        "cp850",
        """
        niño.jpg | España/Málaga.jpg | árbol.jpg | pájaro/águila.jpg | corazón.png | león.png |
        Año nuevo.jpg | señal.png | montaña/cañón.jpg | pingüino.png | camión.jpg | México.jpg |
        jardín/limón.jpg | avión.png | Úrsula.jpg | fotografía.png | ratón.png | niña.png |
        otoño.jpg | vacaciones/playa ñ.jpg | informe número.png | ¿qué.png | pequeño.jpg |
        baño.jpg | cámara.jpg | lápiz.png | ratones/ratón.jpg | música.png | teléfono.png |
        Córdoba/mezquita.jpg | sábado.jpg | mañana.jpg | cigüeña.jpg | bebé.jpg | Ángel.jpg |
        inglés.png | tiburón.png | dañado/pieza.png | Peñíscola.jpg | ñandú.jpg | fútbol.png
        """,
    ),
    "Portuguese": (
        "cp850",
        """
        maçã.jpg | cão/filhote.jpg | coração.png | pão.jpg | São Paulo/praça.jpg | mãe.jpg |
        avô e avó.jpg | leão.png | aviões.jpg | câmera.png | férias/ilha.jpg | João.jpg |
        Conceição.jpg | pássaro.png | ônibus.jpg | Área.png | lã.png | ações/não.png |
        árvore.png | limões.jpg | câmara.jpg | chão.jpg | irmãos.jpg | Goiânia.jpg | não.png |
        relógio.jpg | balão.jpg | família/avó.jpg | peça defeituosa/avaliação.png | limão.png |
        melões.jpg | três.png | órgão.png | Brasília.jpg
        """,
    ),
    "Nordic": (
        "cp850",
        """
        Ålesund/fjäll.jpg | björn.png | höst.jpg | räv.png | älg/sjö.jpg | kött.jpg | øy.png |
        Tromsø.jpg | æble.jpg | blåbær.jpg | smørbrød.jpg | Åse.jpg | hår.png | skärgård.jpg |
        ÖN.JPG | København/gås.jpg | rød/grønn.png | båt.jpg | fågel.jpg | kött/fläsk.jpg |
        Göteborg.jpg | grön.png | måne.jpg | æbler.jpg | kø.png | løve.jpg | Århus.jpg |
        snø.jpg | ål.png
        """,
    ),
    "Italian": (
        "cp850",
        """
        città.jpg | perché.png | caffè.jpg | più.png | Forlì.jpg | università/papà.jpg |
        libertà.png | tiramisù.jpg | è.png
        """,
    ),
    "English": (
        "cp437",
        """
        résumé.png | naïve.jpg | café.jpg | piñata.jpg | Zürich.jpg | jalapeño.jpg | ½ cup.png |
        25°.png
        """,
    ),
    "Windows": (
        "cp1252",
        """
        Bär/Köln (1).png | Hund/größe.png | été/plage.jpg | Noël/forêt.jpg | niño.jpg |
        España/Málaga.jpg | maçã.jpg | São Paulo/praça.jpg | Ålesund/fjäll.jpg | Tromsø.jpg |
        école.jpg | Übung.png | Straße.jpg | café.jpg | l’été.jpg | Foto – 1.png |
        Prüfung/gut.png | Käfer.jpg | défaut/pièce.png | clé.jpg | pequeño.jpg | cámara.jpg |
        chão.jpg | fågel.jpg
        """,
    ),
    "Central European": (
        "cp852",
        """
        żółw.png | łódź.jpg | kość.png | Kraków.jpg | źrebię.jpg | zdjęcia/święta.jpg |
        gęś.png | dzień.jpg | książka.png | Wrocław/most.jpg | koń.png | příroda/kůň.jpg |
        žába.png | kočka.jpg | růže.png | tučňák.jpg | město/škola.jpg | Žižkov.jpg | őz.png |
        fű.png | żaba/mała.png | ryś.jpg | krążek.png | źle/błąd 1.png | dobrze/część.png |
        Łukasz.jpg | motýl.jpg | křeslo.png | učení.png | chyba/škrábanec.png | vůz.jpg
        """,
    ),
    "Greek": (
        "cp737",
        """
        γάτα.jpg | σκύλος.png | Αθήνα/Ακρόπολη.jpg | θάλασσα.jpg | καλοκαίρι.jpg |
        φωτογραφία.png | Νέος φάκελος/εικόνα.png | δοκιμή.png | σπίτι/κήπος.jpg |
        Θεσσαλονίκη.jpg | ήλιος.jpg | παιδιά.jpg
        """,
    ),
    "Turkish": (
        "cp857",
        """
        kuş.png | ağaç.jpg | köpek.jpg | çiçek/gül.jpg | İstanbul.jpg | şehir.jpg | yağmur.png |
        Türkiye/dağ.jpg | güneş.jpg | ığdır.png
        """,
    ),
}
"""Language -> its code page, and names between bars."""


def names_in(language: str) -> tuple[str, list[str]]:
    """The code page of a language, and names."""
    page, listed = NAMES[language]
    return page, [name.strip() for name in listed.split("|")]
